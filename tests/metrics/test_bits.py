import numpy as np
import pytest
import tensorflow as tf

from tfcoded import metrics


def test_errors_of_known_words():
    sent = [[0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]]
    received = [[0, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    np.testing.assert_allclose(metrics.bit_errors(sent, received), [0.25, 0.0, 1.0])
    np.testing.assert_allclose(metrics.word_errors(sent, received), [1.0, 0.0, 1.0])


def test_errors_of_words_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        metrics.bit_errors(tf.zeros([2, 3], tf.int32), tf.zeros([2, 4], tf.int32))


def test_estimate():
    found = metrics.estimate([1.0, 2.0, 3.0, 6.0])
    assert found.value == 3.0
    assert found.standard_error == pytest.approx(np.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert metrics.estimate([True, False]) == (0.5, 0.5)
    assert metrics.estimate([7]) == (7.0, None)
    assert metrics.estimate([np.inf, 1.0]) == (np.inf, None)
    with pytest.raises(ValueError, match="at least one"):
        metrics.estimate([])
