"""Entropy and divergence of bits: values, gradients, extremes."""

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.distributions import bernoulli_entropy, bernoulli_kl

LOGITS = np.concatenate([np.linspace(-12, 12, 49), [-1e-3, 1e-3]])


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _textbook_kl(logits, prior_logits):
    q, p = _sigmoid(logits), _sigmoid(prior_logits)
    return q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))


def _gradient(function, *arguments):
    arguments = [tf.constant(x) for x in arguments]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = function(*arguments)
    return value.numpy(), *(x.numpy() for x in tape.gradient(value, arguments))


def test_entropy_equals_the_textbook_form():
    q = _sigmoid(LOGITS)
    expected = -q * np.log(q) - (1 - q) * np.log(1 - q)
    np.testing.assert_allclose(bernoulli_entropy(LOGITS), expected, rtol=1e-10)
    np.testing.assert_allclose(bernoulli_entropy(0.0), np.log(2), rtol=1e-7)


@pytest.mark.parametrize("prior", [0.0, 1.3, -4.0])
def test_kl_equals_the_textbook_form(prior):
    expected = _textbook_kl(LOGITS, prior)
    np.testing.assert_allclose(bernoulli_kl(LOGITS, prior), expected, rtol=1e-8, atol=1e-15)


def test_float32_entropy_has_a_small_relative_error_up_to_its_smallest_values():
    logits = np.linspace(-80, 80, 1001)
    size = np.abs(logits)
    exact = np.log1p(np.exp(-size)) + size / (1 + np.exp(size))
    np.testing.assert_allclose(bernoulli_entropy(logits.astype(np.float32)), exact, rtol=1e-5)


def test_extremes_in_float32():
    # At +-200 the naive q*l - softplus(l) + log 2 is off by 1e-5.
    logits = np.float32([-200, -30, 0, 30, 200])
    value, gradient = _gradient(bernoulli_kl, logits)
    np.testing.assert_allclose(value, [np.log(2), np.log(2), 0, np.log(2), np.log(2)], rtol=2e-7)
    np.testing.assert_allclose(gradient, [0, 0, 0, 0, 0], atol=1e-11)
    value, gradient = _gradient(bernoulli_entropy, logits)
    np.testing.assert_allclose(value, [0, 31 * np.exp(-30), np.log(2), 31 * np.exp(-30), 0], rtol=1e-5)
    np.testing.assert_allclose(gradient, [0, 30 * np.exp(-30), 0, -30 * np.exp(-30), 0], rtol=1e-5)

    logits, prior = np.float32([200, 200, -200, -200, 5, 0]), np.float32([200, -200, 200, -200, 5, 200])
    value, *gradients = _gradient(bernoulli_kl, logits, prior)
    np.testing.assert_allclose(value, [0, 200, 200, 0, 0, 100 - np.log(2)], rtol=1e-6, atol=1e-6)
    assert np.all(np.isfinite(gradients))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compiled", [False, True])
def test_certain_bits(dtype, compiled):
    logits = tf.constant(np.array([-np.inf, np.finfo(dtype).min, np.finfo(dtype).max, np.inf], dtype))
    for function, expected in ((bernoulli_kl, np.log(2)), (bernoulli_entropy, 0)):
        value, gradient = tf.function(_traced(function), jit_compile=compiled)(logits)
        np.testing.assert_allclose(value, np.full(4, expected), rtol=1e-6)
        np.testing.assert_array_equal(gradient, np.zeros(4))
    np.testing.assert_allclose(bernoulli_kl(logits, dtype(1.5)), np.log1p(np.exp([1.5, 1.5, -1.5, -1.5])), rtol=1e-6)


def test_divergence_is_never_negative_in_float32():
    rng = np.random.default_rng(0)
    prior = rng.uniform(-20, 20, 100000).astype(np.float32)
    logits = prior + rng.normal(scale=1e-4, size=prior.shape).astype(np.float32)
    assert np.all(bernoulli_kl(logits, prior).numpy() >= 0)


def test_gradients_equal_finite_differences():
    step = 1e-5
    for prior in (0.0, 0.7, -3.0):
        priors = np.full_like(LOGITS, prior)
        _, d_logits, d_prior = _gradient(bernoulli_kl, LOGITS, priors)
        numeric = (_textbook_kl(LOGITS + step, prior) - _textbook_kl(LOGITS - step, prior)) / (2 * step)
        np.testing.assert_allclose(d_logits, numeric, atol=1e-8)
        numeric = (_textbook_kl(LOGITS, prior + step) - _textbook_kl(LOGITS, prior - step)) / (2 * step)
        np.testing.assert_allclose(d_prior, numeric, atol=1e-8)
    _, d_entropy = _gradient(bernoulli_entropy, LOGITS)
    _, d_kl = _gradient(bernoulli_kl, LOGITS)
    np.testing.assert_allclose(d_entropy, -d_kl, atol=1e-15)


def test_prior_broadcasts_and_its_gradient_is_summed():
    logits, prior = np.random.default_rng(1).normal(size=(4, 3)), np.array([0.0, 1.0, -2.0])
    value, d_logits, d_prior = _gradient(bernoulli_kl, logits, prior)
    assert value.shape == d_logits.shape == (4, 3)
    np.testing.assert_allclose(d_prior, np.sum(_sigmoid(prior) - _sigmoid(logits), axis=0), rtol=1e-12)


def test_xla_equals_eager():
    logits = np.linspace(-200, 200, 801).astype(np.float32)
    for function in (bernoulli_kl, bernoulli_entropy):
        for eager, compiled in zip(
            _gradient(function, logits), tf.function(_traced(function), jit_compile=True)(logits)
        ):
            np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-7)


def _traced(function):
    def run(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = function(logits)
        return value, tape.gradient(value, logits)

    return run


@pytest.mark.parametrize("logits", [tf.constant(1.0, tf.bfloat16), np.array([1])], ids=["bfloat16", "int64"])
def test_other_dtypes_are_refused(logits):
    for function in (bernoulli_kl, bernoulli_entropy):
        with pytest.raises(ValueError, match="logits must be float32 or float64"):
            function(logits)
    with pytest.raises(ValueError, match="prior_logits must be float32 like the rest, got float64"):
        bernoulli_kl(1.0, np.float64(1.0))
