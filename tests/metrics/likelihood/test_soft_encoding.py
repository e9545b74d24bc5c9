import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
import toy_codec

from tfcoded.metrics.likelihood.soft_encoding import SoftEncoding, repeated_bits
from tfcoded.utils.errors import UserError


def smoothed(z, beta):
    """`log p(z|0), log p(z|1)`."""
    log_normalizer = math.log(-math.expm1(-beta) / beta)
    return -beta * z - log_normalizer, beta * (z - 1) - log_normalizer


def explicit_prior(z, a, b, beta):
    """log g(z) of the copies of one bit, `[S, L]`, as a sum over the number of ones, in the log domain."""
    zero, one = smoothed(z, beta)
    copies = z.shape[1]
    sums = np.full([copies + 1, len(z)], -np.inf)  # log elementary symmetric sums
    sums[0] = 0.0
    for j in range(copies):
        raised = np.concatenate([np.full([1, len(z)], -np.inf), sums[:-1] + one[:, j]])
        sums = np.logaddexp(sums + zero[:, j], raised)
    log_beta = [
        math.lgamma(a + r) + math.lgamma(b + copies - r) - math.lgamma(a + b + copies) for r in range(copies + 1)
    ]
    normalizer = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return np.logaddexp.reduce(sums + np.array(log_beta)[:, np.newaxis] - normalizer, axis=0)


def random_z(rng, *shape):
    """Numbers in [0, 1], many of them near the ends."""
    return rng.beta(0.3, 0.3, shape)


def test_prior_is_the_sum_over_the_words():  # L1
    rng = np.random.default_rng(0)
    for copies in [*range(1, 31), 45, 100]:
        a, b = np.array([[rng.uniform(0.02, 3), 50], [rng.uniform(0.02, 3), rng.choice([0.02, 50])]])
        encoding = SoftEncoding(((2, copies),), 15.0, a, b)
        z = random_z(rng, 7, 2 * copies)
        expected = sum(explicit_prior(part, *ab, 15.0) for part, *ab in zip(np.split(z, 2, axis=1), a, b))
        np.testing.assert_allclose(encoding.log_densities(z, np.zeros([0, 2]))[0], expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("a", [0.02, 0.5, 7.0])
def test_one_copy_has_the_prior_of_the_uncoded_model(a):  # L2
    z = random_z(np.random.default_rng(1), 50, 3)
    encoding = SoftEncoding(((3, 1),), 15.0, np.full(3, a), np.full(3, a))
    zero, one = smoothed(z, 15.0)
    expected = np.sum(np.logaddexp(zero, one) - math.log(2), axis=1)
    np.testing.assert_allclose(encoding.log_densities(z, np.zeros([0, 3]))[0], expected, rtol=0, atol=1e-10)


def test_prior_integrates_to_one():  # L3
    nodes, weights = np.polynomial.legendre.leggauss(40)
    z = np.array(list(itertools.product(0.5 + nodes / 2, repeat=2)))
    weight = np.outer(weights, weights).ravel() / 4
    encoding = SoftEncoding(((1, 2),), 8.0, np.array([0.3]), np.array([1.7]))
    log_prior, log_posterior = encoding.log_densities(z, np.array([[0.2]]))
    np.testing.assert_allclose([np.exp(log_prior) @ weight, np.exp(log_posterior[0]) @ weight], 1.0, atol=1e-9)


@pytest.mark.parametrize("beta", [5.0, 20.0])
def test_posterior_is_the_product_over_copies(beta):
    rng = np.random.default_rng(2)
    branches = ((2, 3), (1, 90), (2, 1))
    encoding = SoftEncoding(branches, beta, np.ones(5), np.ones(5))
    z = random_z(rng, 6, 98)
    q = np.concatenate([rng.random([3, 5]), [[0, 1, 0, 1, 1], [1e-3, 0.999, 1e-3, 0.5, 0.999]]])
    copied = np.repeat(q, [3, 3, 90, 1, 1], axis=1)[:, np.newaxis]
    zero, one = smoothed(z, beta)
    with np.errstate(divide="ignore"):
        expected = np.logaddexp(np.log(copied) + one, np.log1p(-copied) + zero).sum(axis=-1)
    np.testing.assert_allclose(encoding.log_densities(z, q)[1], expected, rtol=1e-10, atol=1e-9)


def test_order_of_copies_does_not_matter():  # L8
    rng = np.random.default_rng(3)
    encoding = SoftEncoding(((2, 12),), 15.0, np.array([0.4, 2.0]), np.array([1.0, 0.1]))
    z = random_z(rng, 9, 24)
    within = np.concatenate([rng.permutation(12), 12 + rng.permutation(12)])
    between = np.roll(np.arange(24), 1)

    def log_prior(z):
        return encoding.log_densities(z, np.zeros([0, 2]))[0]

    np.testing.assert_allclose(log_prior(z[:, within]), log_prior(z), rtol=1e-12)
    assert np.abs(log_prior(z[:, between]) - log_prior(z)).max() > 0.1


def test_samples_have_the_density_that_is_claimed():
    """`E_Q[p(z) / Q(z)] = 1`, and equal logits for the copies of a bit, others for another bit."""
    encoding = SoftEncoding(((1, 2), (1, 1)), 8.0, np.array([2.0, 1.0]), np.array([3.0, 1.0]))
    q = np.array([[0.4, 0.6]])
    z = encoding.sample(np.tile(np.log(q / (1 - q)), [100_000, 1]), tf.constant([1, 2]))
    assert z.shape == (100_000, 3) and z.dtype == np.float32
    log_prior, log_posterior = encoding.log_densities(z, q)
    ratio = np.exp(log_prior - log_posterior[0])
    # Five standard errors, two-sided: false failure 6e-7. The ratio is at most 4, its variance is finite.
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / math.sqrt(len(ratio)) < 0.02


def test_codes_without_a_soft_encoding_likelihood_are_named():
    hierarchical = {"kind": "hierarchical", "information_bits": [3, 2], "code_bits": [6, 10]}
    settings = toy_codec.configuration(hierarchical | {"polar": False})
    assert repeated_bits(settings) == ((3, 2), (2, 5))
    assert repeated_bits(toy_codec.repetition(2, 6)) == ((2, 3),)
    words = {"kind": "reinforce_loo", "samples": 2}
    uncoded = {"kind": "uncoded", "information_bits": 3, "code_bits": 3}
    assert repeated_bits(toy_codec.configuration(uncoded, objective=words)) == ((3, 1),)
    repetition = {"kind": "repetition", "information_bits": 3, "code_bits": 6}
    random = {"kind": "random", "information_bits": 3, "code_bits": 7}
    for code, objective, message in (
        (hierarchical, None, "exclusive or"),
        (random, words, "random code"),
        (repetition, words, "codewords"),
    ):
        with pytest.raises(UserError, match=message):
            repeated_bits(toy_codec.configuration(code, objective=objective))
