import math

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import codes
from tfcoded.codes.codebook import all_words, word_numbers
from tfcoded.models import BitPosterior, WordPosterior

EVIDENCE = tf.constant(np.random.default_rng(0).normal(0, 1.5, [3, 12]), tf.float32)
REPETITION = codes.Repetition(4, 12)
RANDOM = codes.RandomCode(4, 12, seed=3)


def probabilities(code):
    """The posterior over words by multiplying probabilities, `[3, 2^M]`."""
    p = 1 / (1 + np.exp(-EVIDENCE.numpy().astype(np.float64)))[:, np.newaxis]
    likelihood = np.where(code.codebook, p, 1 - p).prod(-1)
    return likelihood / likelihood.sum(-1, keepdims=True)


@pytest.mark.parametrize("code", [REPETITION, codes.Uncoded(12)], ids=repr)
def test_words_equal_bits_where_bits_are_independent(code):
    bits, words = BitPosterior(code, EVIDENCE), WordPosterior(code, EVIDENCE)
    np.testing.assert_allclose(words.logits, bits.logits, rtol=1e-4, atol=1e-4)
    for method in ("most_probable", "log_probability_of_most_probable", "entropy", "kl_branches"):
        np.testing.assert_allclose(getattr(words, method)(), getattr(bits, method)(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("code", [REPETITION, codes.Uncoded(12), codes.Repetition(12, 12)], ids=repr)
def test_words_equal_bits_exactly_in_float64(code):
    """S10: every word's log-probability is the sum of its bits'."""
    evidence = tf.cast(EVIDENCE, tf.float64)
    bits, words = BitPosterior(code, evidence), WordPosterior(code, evidence)
    signs = 2.0 * all_words(code.information_bits) - 1.0
    log_bits = tf.math.log_sigmoid(signs[np.newaxis] * bits.logits[:, np.newaxis])
    np.testing.assert_allclose(words.log_probabilities, tf.reduce_sum(log_bits, -1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(words.logits, bits.logits, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(words.entropy(), bits.entropy(), rtol=1e-9)


@pytest.mark.parametrize(
    "kind, code", [(WordPosterior, RANDOM), (WordPosterior, REPETITION), (BitPosterior, REPETITION)]
)
def test_by_enumeration(kind, code):
    posterior, p = kind(code, EVIDENCE), probabilities(code)
    np.testing.assert_allclose(tf.sigmoid(posterior.logits), p @ all_words(4), rtol=1e-4)
    np.testing.assert_array_equal(word_numbers(posterior.most_probable()), p.argmax(-1))
    np.testing.assert_allclose(tf.exp(posterior.log_probability_of_most_probable()), p.max(-1), rtol=1e-4)
    entropy = -(p * np.log(p)).sum(-1)
    np.testing.assert_allclose(posterior.entropy(), entropy, rtol=1e-4)
    np.testing.assert_allclose(posterior.kl_branches()[:, 0], 4 * math.log(2) - entropy, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind, code", [(WordPosterior, RANDOM), (BitPosterior, REPETITION)])
def test_words_are_drawn_from_the_posterior(kind, code):
    """Frequencies of 20,000 draws: 16 words of each of 3 images, 5.5 s.d. each; false failures below 2e-6."""
    draws = 20_000
    posterior = kind(code, tf.repeat(EVIDENCE, draws, axis=0))
    numbers = word_numbers(posterior.draw([1, 2])).numpy().reshape(3, draws)
    frequencies = np.stack([np.bincount(row, minlength=16) / draws for row in numbers])
    p = probabilities(code)
    deviation = np.sqrt(p * (1 - p) / draws)
    # Where fewer than ten are expected a normal bound is too narrow; a Poisson count of 40 is out of reach there.
    assert (np.abs(frequencies - p) < np.maximum(5.5 * deviation, 40 / draws * (p * draws < 10))).all()


def test_certain_posteriors_stay_finite_and_draw_their_word():
    sure = 7.0 * (2.0 * tf.cast(RANDOM.codebook, tf.float32) - 1.0)
    posterior = WordPosterior(RANDOM, 30 * sure)
    np.testing.assert_array_equal(posterior.draw([0, 1]), all_words(4))
    for value in (posterior.entropy(), posterior.kl_branches(), posterior.logits, posterior.log_probabilities):
        assert np.isfinite(value).all()
    np.testing.assert_allclose(posterior.entropy(), 0, atol=1e-5)


@pytest.mark.parametrize("kind, code", [(WordPosterior, RANDOM), (BitPosterior, REPETITION)])
def test_same_draws_in_graph_and_under_xla(kind, code):
    def draws(evidence):
        posterior = kind(code, evidence)
        return posterior.draw([4, 5]), posterior.latents(15.0, [4, 5])

    bits, z = draws(EVIDENCE)
    for xla in (False, True):
        other_bits, other_z = tf.function(draws, jit_compile=xla)(EVIDENCE)
        np.testing.assert_array_equal(other_bits, bits)
        np.testing.assert_allclose(other_z, z, rtol=2e-4, atol=1e-5)


def test_latents_lie_at_the_drawn_codeword():
    posterior = WordPosterior(RANDOM, EVIDENCE)
    numbers = posterior.draw_numbers(50, [0, 1])
    z = posterior.latents_of(numbers, 40.0, [2, 3])
    assert z.shape == (50, 3, 12)
    # P(|z - c| > 1/2) < e^-20 for each of 1,800.
    np.testing.assert_array_equal(z > 0.5, RANDOM.codebook[numbers.numpy()] == 1)
