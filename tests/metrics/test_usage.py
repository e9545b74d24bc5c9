"""tfcoded.metrics.word_usage: the words that images make use of."""

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import metrics


class Quantizer:
    """Three bits of the first pixel's grey level, 0 to 7."""

    def encode(self, pictures):
        level = tf.cast(tf.round(pictures[:, 0, 0, 0] * 7), tf.int32)
        return {"bits": tf.bitwise.right_shift(level[:, tf.newaxis], [2, 1, 0]) & 1}


def pictures(*levels):
    return np.array(levels, np.float32)[:, np.newaxis, np.newaxis, np.newaxis] / 7


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_counts_words_whatever_the_batch(batch_size):
    found = metrics.word_usage(Quantizer(), pictures(0, 5, 5, 7, 0, 5, 5, 7), batch_size)
    assert found["words_used"] == (3.0, None)
    assert found["usage_entropy"].value == pytest.approx(1.5)  # a quarter, a half, a quarter


def test_all_words_and_one():
    found = metrics.word_usage(Quantizer(), pictures(*range(8)))
    assert (found["words_used"].value, found["usage_entropy"].value) == (8, pytest.approx(3))
    found = metrics.word_usage(Quantizer(), pictures(4, 4))
    assert (found["words_used"].value, found["usage_entropy"].value) == (1, 0)


def test_bytes_are_images_too():
    assert metrics.word_usage(Quantizer(), np.array([0, 255], np.uint8).reshape(2, 1, 1, 1))["words_used"].value == 2


def test_no_images():
    with pytest.raises(ValueError, match="no images"):
        metrics.word_usage(Quantizer(), pictures())
