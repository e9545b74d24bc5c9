"""TruncatedExponential: rates of both signs, zero, tiny and huge."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions import TruncatedExponential

RATES = np.array([-200, -50, -15, -1.01, -0.99, -0.5, -0.21, -0.19, -0.02, -0.005, -1e-8, 0])
RATES = np.concatenate([RATES, -RATES[:-1]])
# Eight Gauss-Legendre nodes on each of 200 cells: exact to rounding for densities as steep as exp(-200 z).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_Z = ((np.arange(200)[:, None] + (_NODES + 1) / 2) / 200).ravel()
_W = np.tile(_WEIGHTS / 400, 200)


def _density(rate, z):
    """The density by its definition, normalised numerically."""
    log_density = -rate * z + min(rate, 0)
    normaliser = np.sum(_W * np.exp(-rate * _Z + min(rate, 0)))
    return np.exp(log_density) / normaliser


def _derivatives(function, rate, value):
    rate, value = tf.constant(rate), tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch((rate, value))
        result = function(TruncatedExponential(rate), value)
    return result.numpy(), *(x.numpy() for x in tape.gradient(result, (rate, value)))


def _quantile(distribution, r):
    return distribution.quantile(r)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-5), (np.float64, 1e-11)])
def test_density_and_moments_against_quadrature(dtype, rtol):
    distribution = TruncatedExponential(RATES.astype(dtype))
    mean, variance, entropy = [
        x.numpy() for x in (distribution.mean(), distribution.variance(), distribution.entropy())
    ]
    z = np.linspace(0, 1, 33)
    prob = distribution.prob(z[:, None].astype(dtype)).numpy()
    assert mean.dtype == prob.dtype == dtype
    for i, rate in enumerate(RATES):
        density = _density(rate, _Z)
        np.testing.assert_allclose(prob[:, i], _density(rate, z), rtol=2 * rtol, atol=1e-30)
        expected = np.sum(_W * density * _Z)
        np.testing.assert_allclose(mean[i], expected, rtol=rtol)
        np.testing.assert_allclose(variance[i], np.sum(_W * density * (_Z - expected) ** 2), rtol=rtol)
        positive = np.where(density > 0, density, 1)
        expected = -np.sum(_W * density * np.log(positive))
        np.testing.assert_allclose(entropy[i], expected, rtol=rtol, atol=rtol / 50)


def test_cdf_is_the_integral_of_the_density():
    z = np.linspace(0, 1, 11)
    cdf = TruncatedExponential(RATES).cdf(z[:, None]).numpy()
    for i, rate in enumerate(RATES):
        for j, end in enumerate(z):
            integral = end * np.sum(_W * _density(rate, end * _Z))
            np.testing.assert_allclose(cdf[j, i], integral, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("dtype, atol", [(np.float32, 2e-5), (np.float64, 5e-14)])
def test_quantile_inverts_cdf(dtype, atol):
    r = np.array([0, 2.0**-24, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 2.0**-24, 1], dtype)[:, None]
    z = TruncatedExponential(RATES.astype(dtype)).quantile(r).numpy()
    assert z.dtype == dtype and np.all((z >= 0) & (z <= 1))
    assert np.all(np.diff(z, axis=0) >= 0)
    # Evaluated in double precision, so that only the error of z counts: density (up to 200) times rounding.
    reached = TruncatedExponential(RATES).cdf(z.astype(np.float64))
    np.testing.assert_allclose(reached, np.tile(r, len(RATES)), atol=atol)


def test_rate_zero_is_uniform():
    distribution = TruncatedExponential(0.0)
    r = np.float32([0, 0.25, 0.5, 1])
    np.testing.assert_allclose(distribution.quantile(r), r, atol=1e-7)
    np.testing.assert_allclose(distribution.cdf(r), r, atol=1e-7)
    np.testing.assert_array_equal(distribution.log_prob(r), np.zeros(4))
    moments = [distribution.mean(), distribution.variance(), distribution.entropy()]
    np.testing.assert_allclose(moments, [1 / 2, 1 / 12, 0], atol=1e-7)


def test_smoothing_of_a_bit_is_the_papers_equation_1():
    beta, z = 15.0, np.linspace(0, 1, 5)
    normaliser = (1 - np.exp(-beta)) / beta
    for bit, expected in [(0, np.exp(-beta * z)), (1, np.exp(beta * (z - 1)))]:
        prob = TruncatedExponential(np.float64(beta * (1 - 2 * bit))).prob(z)
        np.testing.assert_allclose(prob, expected / normaliser, rtol=1e-12)


def test_inverses_are_the_papers_equations_24_and_25():
    beta, r = 15.0, np.linspace(0.001, 0.999, 9)
    zero = -np.log(1 - r * (1 - np.exp(-beta))) / beta
    one = 1 + np.log(r * (1 - np.exp(-beta)) + np.exp(-beta)) / beta
    np.testing.assert_allclose(TruncatedExponential(np.float64(beta)).quantile(r), zero, rtol=1e-12)
    np.testing.assert_allclose(TruncatedExponential(np.float64(-beta)).quantile(r), one, rtol=1e-12)


@pytest.mark.parametrize("name", ["quantile", "cdf", "log_prob"])
def test_gradients_equal_finite_differences(name):
    def function(distribution, value):
        return getattr(distribution, name)(value)

    rate, value = [x.ravel() for x in np.meshgrid(RATES[np.abs(RATES) <= 50], [0.01, 0.2, 0.5, 0.9])]
    _, d_rate, d_value = _derivatives(function, rate, value)
    step = 1e-4

    def numeric(dr, dv):
        # Five points: the step is long enough for rounding not to matter where the formulae are 0/0.
        def at(n):
            return function(TruncatedExponential(rate + n * dr), value + n * dv).numpy()

        return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)

    np.testing.assert_allclose(d_rate, numeric(step, 0), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(d_value, numeric(0, step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["mean", "variance", "entropy"])
def test_gradients_of_moments(name):
    rate = tf.constant(RATES)
    with tf.GradientTape() as tape:
        tape.watch(rate)
        value = getattr(TruncatedExponential(rate), name)()
    gradient = tape.gradient(value, rate).numpy()
    step = 1e-4
    shifted = [getattr(TruncatedExponential(RATES + s), name)().numpy() for s in (step, -step)]
    np.testing.assert_allclose(gradient, (shifted[0] - shifted[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_float32_sample_gradient_equals_float64():
    r = np.random.default_rng(0).uniform(2**-24, 1 - 2**-24, (500, 1)).astype(np.float32)
    rate = np.tile(RATES, (500, 1))
    r = np.tile(r, len(RATES))
    single = _derivatives(_quantile, rate.astype(np.float32), r)
    double = _derivatives(_quantile, rate.astype(np.float32).astype(np.float64), r.astype(np.float64))
    for got, expected in zip(single, double):
        np.testing.assert_allclose(got, expected, rtol=5e-4, atol=1e-6)


def test_float32_is_finite_at_the_extremes():
    r = np.float32([2.0**-24, 1e-3, 0.5, 1 - 2.0**-24])
    rate, r = [x.ravel() for x in np.meshgrid(np.linspace(-200, 200, 801).astype(np.float32), r)]
    z, *gradients = _derivatives(_quantile, rate, r)
    assert np.all((z >= 0) & (z <= 1)) and np.all(np.isfinite(gradients))
    assert np.all(np.isfinite(_derivatives(lambda d, v: d.log_prob(v), rate, z)))


def test_samples_follow_the_cdf():
    # By the Dvoretzky-Kiefer-Wolfowitz inequality P(sup |F_n - F| > eps) <= 2 exp(-2 n eps^2): 1e-8 in all.
    n = 20000
    rates = np.array([-15.0, -0.3, 0.0, 2.0, 50.0])
    z = np.sort(TruncatedExponential(rates).sample(n, seed=(1, 2)).numpy(), axis=0)
    cdf = TruncatedExponential(rates).cdf(z).numpy()
    steps = np.arange(n + 1)[:, None] / n
    distance = np.maximum(np.abs(cdf - steps[1:]), np.abs(cdf - steps[:-1])).max(axis=0)
    bound = np.sqrt(np.log(2 * len(rates) / 1e-8) / (2 * n))
    assert np.all(distance < bound)
    assert np.all(distance > 1e-4)  # not a grid: P(distance < 1e-4) is far below 1e-8 for n = 20000


def test_shapes_dtypes_and_seeds():
    distribution = TruncatedExponential(np.zeros((4, 1), np.float32))
    assert distribution.batch_shape == (4, 1) and distribution.event_shape == ()
    assert distribution.sample((2, 3), seed=(0, 1)).shape == (2, 3, 4, 1)
    assert distribution.log_prob(np.zeros((5,), np.float32)).shape == (4, 5)
    assert distribution.reparameterization_type == tfp.distributions.FULLY_REPARAMETERIZED
    first, again, other = [distribution.sample(seed=tf.constant(s)) for s in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(first, again)
    assert np.all(first.numpy() != other.numpy())
    assert distribution.copy(rate=1.0).batch_shape == ()


def test_a_variable_rate_is_read_when_used():
    rate = tf.Variable(3.0)
    distribution = TruncatedExponential(rate)
    before = distribution.mean().numpy()
    rate.assign(-3.0)
    np.testing.assert_allclose(distribution.mean(), 1 - before, rtol=1e-6)


def test_outside_of_the_interval():
    distribution = TruncatedExponential(2.0)
    np.testing.assert_array_equal(distribution.log_prob([-0.1, 1.1]), [-np.inf, -np.inf])
    np.testing.assert_array_equal(distribution.cdf([-0.1, 1.1]), [0, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="interval"):
        TruncatedExponential(2.0, validate_args=True).log_prob(1.1)


def test_xla_equals_eager():
    rate = tf.constant(np.repeat(RATES, 40), tf.float32)

    def run(rate):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(rate)
            distribution = TruncatedExponential(rate)
            z = distribution.sample(seed=tf.constant([5, 6]))
            log_prob = distribution.log_prob(z)
        return z, log_prob, tape.gradient(z, rate), tape.gradient(log_prob, rate), distribution.mean()

    for eager, compiled in zip(run(rate), tf.function(run, jit_compile=True)(rate)):
        np.testing.assert_allclose(eager, compiled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rate", [tf.constant(1.0, tf.float16), np.array([1, 2])], ids=["float16", "int64"])
def test_other_dtypes_are_refused(rate):
    with pytest.raises(ValueError, match="rate must be float32 or float64"):
        TruncatedExponential(rate)
