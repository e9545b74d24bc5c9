import itertools

import numpy as np
import pytest

from tfcoded.metrics import most_probable_words


def enumerated(p):
    words = np.array(list(itertools.product([0, 1], repeat=len(p))))
    probabilities = np.prod(np.where(words, p, 1 - np.asarray(p)), axis=1)
    order = np.argsort(-probabilities, kind="stable")
    return words[order], probabilities[order]


@pytest.mark.parametrize("bits", range(1, 9))
def test_all_words_in_the_order_of_full_enumeration(bits):
    p = np.random.default_rng(bits).uniform(size=bits)
    words, probabilities = most_probable_words(p, 2**bits)
    expected_words, expected = enumerated(p)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)
    np.testing.assert_array_equal(words, expected_words)
    assert probabilities.sum() == pytest.approx(1.0)


def test_certain_and_undecided_bits():
    p = [1.0, 0.5, 0.0, 0.5, 0.9]
    words, probabilities = most_probable_words(p, 32)
    np.testing.assert_allclose(probabilities, enumerated(p)[1], atol=1e-15)
    assert len(set(map(tuple, words))) == 32
    assert np.all(words[:8, 0] == 1) and np.all(words[:8, 2] == 0)


def test_many_bits_need_no_enumeration():
    p = np.full(130, 0.99)
    p[[3, 77]] = 0.3, 0.6
    words, probabilities = most_probable_words(p, 4)
    likeliest = np.ones(130, int)
    likeliest[3] = 0
    np.testing.assert_array_equal(words[0], likeliest)
    assert [set(np.flatnonzero(word != likeliest)) for word in words] == [set(), {77}, {3}, {3, 77}]
    np.testing.assert_allclose(probabilities / 0.99**128, [0.7 * 0.6, 0.7 * 0.4, 0.3 * 0.6, 0.3 * 0.4], rtol=1e-9)


@pytest.mark.parametrize(
    "p, k, message",
    [
        ([0.5, 0.5], 5, r"between 1 and 2\^2"),
        ([0.5], 0, "between 1"),
        ([1.5], 1, "probabilities"),
        ([[0.5]], 1, "vector"),
        ([float("nan")], 1, "probabilities"),
        ([], 1, "non-empty"),
    ],
)
def test_bad_input(p, k, message):
    with pytest.raises(ValueError, match=message):
        most_probable_words(p, k)
