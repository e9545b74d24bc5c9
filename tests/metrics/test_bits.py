import itertools

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


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_entropy_is_the_entropy_over_all_words(bits):
    p = np.random.default_rng(bits).uniform(size=bits)
    words = np.array(list(itertools.product([0, 1], repeat=bits)))
    probabilities = np.prod(np.where(words, p, 1 - p), axis=1)
    expected = -np.sum(probabilities * np.log2(probabilities))
    np.testing.assert_allclose(metrics.entropy(p), expected, rtol=1e-12)


def test_entropy_of_certain_and_of_undecided_bits():
    found = metrics.entropy(tf.constant([[0.0, 1.0, 1.0], [0.5, 0.5, 0.5], [1.0, 0.5, 0.0]]))
    np.testing.assert_allclose(found, [0.0, 3.0, 1.0], atol=1e-6)


def test_estimate():
    found = metrics.estimate([1.0, 2.0, 3.0, 6.0])
    assert found.value == 3.0
    assert found.standard_error == pytest.approx(np.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert metrics.estimate([True, False]) == (0.5, 0.5)
    assert metrics.estimate([7]) == (7.0, None)
    assert metrics.estimate([np.inf, 1.0]) == (np.inf, None)
    with pytest.raises(ValueError, match="at least one"):
        metrics.estimate([])
