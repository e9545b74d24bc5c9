"""SmoothedBernoulli: inverse CDF, density and implicit gradients over the whole range of logits."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions import SmoothedBernoulli, TruncatedExponential, bernoulli_kl
from tfcoded.utils.random import uniform

BETAS = [1.0, 5.0, 15.0, 50.0]
LOGITS = np.array([-200, -88, -40, -17, -8, -2, -0.1, 0, 0.1, 2, 8, 17, 40, 88, 200], np.float64)
LOW, HIGH = 2.0**-24, 1 - 2.0**-24
RHO = np.array([LOW, 1e-4, 0.01, 0.2, 0.499, 0.5, 0.501, 0.8, 0.99, 0.9999, HIGH])


def _sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def _cdf(logits, beta, z):
    """By definition, in float64."""
    normaliser = 1 - np.exp(-beta)
    one = (np.exp(beta * (z - 1)) - np.exp(-beta)) / normaliser
    zero = (1 - np.exp(-beta * z)) / normaliser
    return _sigmoid(logits) * one + _sigmoid(-logits) * zero


def _prob(logits, beta, z):
    mixture = _sigmoid(logits) * np.exp(beta * (z - 1)) + _sigmoid(-logits) * np.exp(-beta * z)
    return mixture * beta / (1 - np.exp(-beta))


def _derivatives(name, logits, beta, value):
    logits, value = tf.constant(logits), tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch((logits, value))
        result = getattr(SmoothedBernoulli(logits, beta), name)(value)
    return result.numpy(), *(x.numpy() for x in tape.gradient(result, (logits, value)))


def _grid(*axes):
    return [x.ravel() for x in np.meshgrid(*axes)]


# S1: the quantile inverts the CDF and is monotone.


@pytest.mark.parametrize("beta", BETAS)
def test_quantile_inverts_the_cdf_in_float32(beta):
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.uniform(-20, 20, 50000), rng.uniform(-200, 200, 50000)]).astype(np.float32)
    rho = np.clip(rng.uniform(size=logits.size).astype(np.float32), LOW, HIGH)
    rho[::7], rho[3::7] = LOW, HIGH
    z = SmoothedBernoulli(logits, beta).quantile(rho).numpy()
    assert z.dtype == np.float32 and np.all((z >= 0) & (z <= 1))
    error = np.abs(_cdf(logits.astype(np.float64), beta, z.astype(np.float64)) - rho)
    # The rounding of z alone moves the CDF by density * 2^-25, where the density is at most beta.
    assert error.max() < 5e-7 + beta * 2.0**-24


@pytest.mark.parametrize("beta", BETAS)
def test_quantile_inverts_the_cdf_in_float64(beta):
    logits, rho = _grid(LOGITS, RHO)
    z = SmoothedBernoulli(logits, beta).quantile(rho).numpy()
    np.testing.assert_allclose(_cdf(logits, beta, z), rho, atol=2e-14)


def test_float32_quantile_equals_float64():
    logits, rho = [x.astype(np.float32) for x in _grid(np.linspace(-200, 200, 401), RHO)]
    single = SmoothedBernoulli(logits, 15.0).quantile(rho).numpy()
    double = SmoothedBernoulli(logits.astype(np.float64), 15.0).quantile(rho.astype(np.float64)).numpy()
    np.testing.assert_allclose(single, double, atol=2e-5)  # steep in the gap between the modes


@pytest.mark.parametrize("beta", BETAS)
def test_quantile_at_the_ends_of_the_interval(beta):
    logits = LOGITS.astype(np.float32)
    distribution = SmoothedBernoulli(logits, beta)
    np.testing.assert_allclose(distribution.quantile(np.zeros_like(logits)), 0 * logits, atol=1e-7)
    np.testing.assert_allclose(distribution.quantile(np.ones_like(logits)), 1 + 0 * logits, atol=1e-7)
    for r in (0.0, 1e-38, 1e-20, 1.0):
        assert np.all(np.isfinite(_derivatives("quantile", logits, beta, np.full_like(logits, r))))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("dtype, slack", [(np.float32, 1e-6), (np.float64, 1e-15)])
def test_quantile_is_monotone_in_rho_and_in_the_logits(beta, dtype, slack):
    rho = np.linspace(LOW, HIGH, 301).astype(dtype)
    logits = np.linspace(-30, 30, 121).astype(dtype)[:, np.newaxis]
    z = SmoothedBernoulli(logits, beta).quantile(rho).numpy()
    assert np.all(np.diff(z, axis=1) > -slack)
    if dtype == np.float64:
        assert np.all(np.diff(z, axis=0) > -slack)
    else:  # in the gap between the modes dz/dl is up to 1e3, times the rounding of the logit
        assert np.all(np.diff(z, axis=0) > -1e-4)
    assert np.all(z[:, -1] - z[:, 0] > 0.2) and np.all(z[-1, 1:-1] - z[0, 1:-1] > 0.002)


# S2: density.


@pytest.mark.parametrize("beta", BETAS)
def test_density_integrates_to_one_and_is_the_derivative_of_the_cdf(beta):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    z, weights = (nodes[:, np.newaxis] + 1) / 2, weights[:, np.newaxis] / 2
    prob = SmoothedBernoulli(LOGITS, beta).prob(z).numpy()
    np.testing.assert_allclose(np.sum(weights * prob, axis=0), 1, rtol=1e-12)
    logits, z = _grid(LOGITS, np.linspace(0.02, 0.98, 13))
    cdf, _, slope = _derivatives("cdf", logits, beta, z)
    np.testing.assert_allclose(cdf, _cdf(logits, beta, z), rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose(slope, SmoothedBernoulli(logits, beta).prob(z), rtol=1e-12)
    np.testing.assert_allclose(slope, _prob(logits, beta, z), rtol=1e-11)


@pytest.mark.parametrize("beta", BETAS)
def test_float32_log_prob_and_cdf_equal_float64(beta):
    logits, z = [x.astype(np.float32) for x in _grid(np.linspace(-200, 200, 401), np.linspace(0, 1, 21))]
    single, double = [SmoothedBernoulli(logits.astype(t), beta) for t in (np.float32, np.float64)]
    wide = z.astype(np.float64)
    np.testing.assert_allclose(single.log_prob(z), double.log_prob(wide), rtol=3e-6, atol=3e-6)
    np.testing.assert_allclose(single.cdf(z), double.cdf(wide), rtol=1e-5)
    np.testing.assert_allclose(single.survival_function(z), double.survival_function(wide), rtol=2e-5)


def test_survival_function_complements_the_cdf():
    logits, z = _grid(LOGITS, np.linspace(0, 1, 9))
    distribution = SmoothedBernoulli(logits, 15.0)
    np.testing.assert_allclose(distribution.cdf(z) + distribution.survival_function(z), 1, rtol=1e-14)


@pytest.mark.parametrize("beta", [1.0, 15.0])
def test_gradients_of_log_prob_and_cdf_equal_finite_differences(beta):
    # z = 1/2 with logit 0 is where both modes tie.
    logits, z = _grid([-30.0, -2.0, 0.0, 0.3, 9.0], [0.1, 0.4, 0.5, 0.9])
    step = 1e-5
    for name, function in [("log_prob", lambda *x: np.log(_prob(*x))), ("cdf", _cdf)]:
        _, d_logits, d_z = _derivatives(name, logits, beta, z)
        numeric = (function(logits + step, beta, z) - function(logits - step, beta, z)) / (2 * step)
        np.testing.assert_allclose(d_logits, numeric, rtol=1e-6, atol=1e-8)
        numeric = (function(logits, beta, z + step) - function(logits, beta, z - step)) / (2 * step)
        np.testing.assert_allclose(d_z, numeric, rtol=1e-6, atol=1e-8)


# S3: limits.


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [40.0, 200.0])
def test_certain_bits_are_truncated_exponentials(beta, dtype, size):
    rho = RHO[1:-1].astype(dtype)
    tolerance = 5e-7 if dtype == np.float32 else 1e-11
    for sign in (-1, 1):
        smoothed = SmoothedBernoulli(np.array(sign * size, dtype), beta)
        exponential = TruncatedExponential(np.array(-sign * beta, dtype))
        np.testing.assert_allclose(smoothed.quantile(rho), exponential.quantile(rho), atol=tolerance)
        np.testing.assert_allclose(smoothed.cdf(rho), exponential.cdf(rho), rtol=1e-5, atol=1e-15)


# S4: gradients of the sample.


def _bisect(logits, beta, rho):
    """The quantile by bisection on the definition of the CDF, independent of the closed form."""
    low, high = np.zeros_like(logits), np.ones_like(logits)
    for _ in range(60):
        middle = (low + high) / 2
        below = _cdf(logits, beta, middle) < rho
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


@pytest.mark.parametrize("beta", BETAS)
def test_sample_gradient_equals_finite_differences(beta):
    logits, rho = _grid(np.linspace(-6, 6, 25), [0.003, 0.11, 0.37, 0.62, 0.93, 0.998])
    # Away from the gap between the modes, where the quantile is too steep for a finite difference.
    keep = _prob(logits, beta, _bisect(logits, beta, rho)) > 1e-2
    logits, rho = logits[keep], rho[keep]
    assert logits.size > 100
    z, d_logits, d_rho = _derivatives("quantile", logits, beta, rho)
    np.testing.assert_allclose(z, _bisect(logits, beta, rho), atol=1e-12)
    step = 1e-5
    numeric = (_bisect(logits + step, beta, rho) - _bisect(logits - step, beta, rho)) / (2 * step)
    np.testing.assert_allclose(d_logits, numeric, rtol=1e-4, atol=1e-8)
    numeric = (_bisect(logits, beta, rho + step) - _bisect(logits, beta, rho - step)) / (2 * step)
    np.testing.assert_allclose(d_rho, numeric, rtol=1e-3)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-3), (np.float64, 1e-6)])
def test_sample_gradient_is_the_implicit_one_everywhere(beta, dtype, rtol):
    logits, rho = [x.astype(dtype) for x in _grid(np.concatenate([LOGITS, [-16.63, 16.63]]), RHO)]
    z, d_logits, d_rho = _derivatives("quantile", logits, beta, rho)
    # At the z that was returned, in float64. Its rounding is a relative error of beta * 2^-24 in exp(beta z).
    a, z = logits.astype(np.float64), z.astype(np.float64)
    spread = np.expm1(-beta * z) * np.expm1(-beta * (1 - z)) / -np.expm1(-beta)
    prob = _prob(a, beta, z)
    atol = 2e-7 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(d_logits, _sigmoid(a) * _sigmoid(-a) * spread / prob, rtol=rtol, atol=atol)
    np.testing.assert_allclose(d_rho, 1 / prob, rtol=rtol)
    assert np.all(d_logits >= 0) and np.all(d_rho > 0)


def test_gradient_flows_through_sample_as_through_quantile():
    logits = tf.constant(np.linspace(-5, 5, 7))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        distribution = SmoothedBernoulli(logits, 15.0)
        z = distribution.sample(1000, seed=(3, 4))
        same = distribution.quantile(tf.stop_gradient(distribution.cdf(z)))
    np.testing.assert_allclose(z, same, atol=1e-8)
    np.testing.assert_allclose(tape.gradient(z, logits), tape.gradient(same, logits), rtol=1e-5)


def test_mean_gradient_of_samples_is_the_gradient_of_the_mean():
    # Two-sided at 6 standard errors: fails once in 5e8 for each of 4 logits.
    n = 50000
    logits = np.tile([-3.0, -1.0, 0.0, 2.0], (n, 1))
    rho = np.random.default_rng(1).uniform(size=logits.shape)
    _, d_logits, _ = _derivatives("quantile", logits, 5.0, rho)
    mean_of_zero = 1 / 5 - np.exp(-5) / (1 - np.exp(-5))
    expected = _sigmoid(logits[0]) * _sigmoid(-logits[0]) * (1 - 2 * mean_of_zero)
    standard_error = d_logits.std(axis=0) / np.sqrt(n)
    assert np.all(np.abs(d_logits.mean(axis=0) - expected) < 6 * standard_error)
    assert np.all(standard_error < 0.02 * expected)


def _as_printed(logits, rho, beta):
    """Equation 5 as it stands, with the limits that the published experiments needed: q at most 0.999 without a change
    of its derivative, and 1e-6 for a difference that rounds to zero."""
    q = tf.sigmoid(logits)
    q -= tf.stop_gradient(tf.nn.relu(q - 0.999))
    e = tf.exp(-tf.constant(beta, q.dtype))
    b = (rho + e * (q - rho)) / (1 - q) - 1
    difference = tf.sqrt(b**2 + 4 * q * e / (1 - q)) - b
    return -tf.math.log(tf.where(difference > 0, difference, tf.cast(1e-6, q.dtype)) / 2) / beta


def test_as_printed_the_quantile_would_exaggerate_gradients_in_float32():
    # The reason for not doing so, in numbers: 1.48, 1.64, 2.65, 3.37 times. Where the rounding falls depends on the
    # grid of the noise too, hence the wide bounds; the nearest is 6 standard errors away.
    logits = np.repeat(np.float32([0, 4, 5, 6, 8]), 1_000_000).reshape(5, -1)
    rho = np.random.default_rng(2).uniform(2.0**-24, 1, size=logits.shape).astype(np.float32)
    expected = (_sigmoid(logits) * _sigmoid(-logits))[:, 0] * (1 - 2 / 15)
    _, gradient, _ = _derivatives("quantile", logits, 15.0, rho)
    np.testing.assert_allclose(gradient.mean(axis=1) / expected, 1, atol=0.12)
    spread = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(spread)
        z = _as_printed(spread, tf.constant(rho), 15.0)
    printed = tape.gradient(z, spread).numpy()
    assert np.all(printed.std(axis=1) / 1000 < [0.025, 0.025, 0.025, 0.025, 0.03] * expected)
    ratio = printed.mean(axis=1) / expected
    assert 0.96 < ratio[0] < 1.04 and 1.3 < ratio[1] < 1.7 and 1.4 < ratio[2] < 1.9 and 2.3 < ratio[3] < 3.2, ratio
    assert 2 < ratio[4] < 4, ratio


def test_beta_receives_no_gradient():
    beta = tf.constant(15.0)
    with tf.GradientTape() as tape:
        tape.watch(beta)
        distribution = SmoothedBernoulli([0.5, -2.0], beta)
        value = distribution.log_prob(distribution.sample(seed=(1, 2)))
    assert tape.gradient(value, beta) is None


# S5: finite everywhere.


@pytest.mark.parametrize("beta", BETAS)
def test_a_million_float32_draws_are_finite_with_their_gradients(beta):
    logits = tf.random.stateless_uniform([1_000_000], (7, 8), -200.0, 200.0)

    @tf.function(jit_compile=True)
    def run(logits):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            distribution = SmoothedBernoulli(logits, beta)
            z = distribution.sample(seed=(1, 2))
            log_prob = distribution.log_prob(z)
        return z, log_prob, tape.gradient(z, logits), tape.gradient(log_prob, logits)

    z, *others = [x.numpy() for x in run(logits)]
    assert np.all((z >= 0) & (z <= 1))
    assert all(np.all(np.isfinite(x)) for x in others)


# S7: any beta, in a tensor or not, and certain bits.

LOGITS_OF_ANY_BETA = [-np.inf, -200, -30, -8, -1, 0, 0.3, 2, 17, 60, 200, np.inf]


def _exact_quantile(logits, beta, rho):
    """By bisection of the definition in 80 bits, from the nearer end; its error is about 1e-16."""
    logits, beta, rho = (np.asarray(x, np.longdouble) for x in (logits, beta, rho))
    e = np.exp(-np.abs(logits))
    q, a = np.where(logits > 0, 1 / (1 + e), e / (1 + e)), np.where(logits > 0, e / (1 + e), 1 / (1 + e))
    normaliser = -np.expm1(-beta)

    def cdf(z):
        return -np.expm1(-beta * z) * (a + q * np.exp(beta * (z - 1))) / normaliser

    def survival(y):  # at 1 - y
        return -np.expm1(-beta * y) * (q + a * np.exp(beta * (y - 1))) / normaliser

    found = []
    for function, target in ((cdf, rho), (survival, 1 - rho)):
        low, high = np.zeros(np.broadcast(logits, beta, rho).shape, np.longdouble), np.longdouble(1)
        high = low + high
        for _ in range(200):
            # Halving the exponent finds distances of 1e-38 too.
            middle = np.where(low > 0, np.sqrt(low) * np.sqrt(high), high * np.longdouble(1e-40))
            middle = np.where(high < 4 * low, (low + high) / 2, middle)
            below = function(middle) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found.append((low + high) / 2)
    return np.where(found[0] < 0.5, found[0], 1 - found[1]).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compiled", [False, True])
def test_samples_and_gradients_for_any_beta_that_the_dtype_holds(dtype, compiled):
    info = np.finfo(dtype)
    betas = np.array([info.tiny, 1e-30, 1e-6, 1e-3, 0.1, 0.9, 1, 30, 81, 150, 200, 1e3, 1e6, 1e30, info.max], dtype)
    rho = np.array([LOW, 1e-4, 0.01, 0.2, 0.6, 0.99, HIGH], dtype)
    logits, betas, rho = (x.astype(dtype) for x in _grid(LOGITS_OF_ANY_BETA, betas, rho))

    @tf.function(jit_compile=compiled)
    def run(logits, betas, rho):
        distribution = SmoothedBernoulli(logits, betas)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch((logits, rho))
            z = distribution.quantile(rho)
            log_prob = distribution.log_prob(tf.stop_gradient(z))
            cdf, mean = distribution.cdf(tf.stop_gradient(z)), distribution.mean()
        slopes = [tape.gradient(y, logits) for y in (z, log_prob, cdf, mean)]
        return z, tape.gradient(z, rho), log_prob, cdf, mean, distribution.variance(), *slopes

    z, *others = (x.numpy() for x in run(*map(tf.constant, (logits, betas, rho))))
    assert all(np.all(np.isfinite(x)) for x in others)
    exact = _exact_quantile(logits, betas, rho)
    far = np.abs(rho - _sigmoid(-logits.astype(float))) > 1e-3  # not in the gap, where z takes all values
    np.testing.assert_allclose(z[far], exact[far], rtol=0, atol=32 * info.eps)
    assert np.all((z >= 0) & (z <= 1))


@pytest.mark.parametrize("beta", [100.0, 200.0, 1e6])
def test_the_middle_of_the_gap_for_large_beta(beta):
    """At `rho = P(0)` all z between the modes have that CDF but for exp(-beta / 2); the quantile is the exact one."""
    for dtype in (np.float32, np.float64):
        logits = np.array([0.0, 2.0, 5.0], dtype)
        rho = tf.sigmoid(-logits)
        z, slope, _ = _derivatives("quantile", logits, beta, rho)
        np.testing.assert_allclose(z, 0.5 - logits / (2 * beta), atol=0.02 if beta < 150 else 1e-6)
        assert np.all(slope > 1e9) and np.all(np.isfinite(slope))


def test_a_tensor_beta_of_200_draws_what_its_law_says():
    # By the Dvoretzky-Kiefer-Wolfowitz inequality, as below: 1e-8.
    n = 20000
    z = np.sort(SmoothedBernoulli(0.4, tf.constant(200.0)).sample(n, seed=(4, 5)).numpy()).astype(np.float64)
    cdf, steps = _cdf(0.4, 200.0, z), np.arange(n + 1) / n
    distance = np.maximum(np.abs(cdf - steps[1:]), np.abs(cdf - steps[:-1])).max()
    assert 1e-4 < distance < np.sqrt(np.log(2 / 1e-8) / (2 * n))


@pytest.mark.parametrize("beta", [5.0, 15.0])
def test_float32_slopes_of_mean_and_tails_have_a_small_relative_error_for_any_logit(beta):
    """From logit 17 on the sigmoid is 1 in float32 and its derivative as y (1 - y) is 0."""
    logits, z = _grid(np.array([-60, -17, -9, -1, 0, 4, 17, 25, 60.0]), np.array([0.05, 0.3, 0.5, 0.8, 0.97]))
    spread = np.expm1(-beta * z) * np.expm1(beta * (z - 1)) / -np.expm1(-beta)
    slope = -_sigmoid(logits) * _sigmoid(-logits) * spread
    single = [x.astype(np.float32) for x in (logits, z)]
    for name, sign in (("cdf", 1), ("survival_function", -1)):
        _, d_logits, d_z = _derivatives(name, single[0], beta, single[1])
        np.testing.assert_allclose(d_logits, sign * slope, rtol=1e-4)
        np.testing.assert_allclose(d_z, sign * _prob(logits, beta, z), rtol=1e-4)
    logits = tf.constant(single[0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        distribution = SmoothedBernoulli(logits, beta)
        mean, variance = distribution.mean(), distribution.variance()
    wide = single[0].astype(np.float64)
    bernoulli = _sigmoid(wide) * _sigmoid(-wide)
    apart = 1 - 2 * TruncatedExponential(np.float64(beta)).mean().numpy()
    np.testing.assert_allclose(tape.gradient(mean, logits), bernoulli * apart, rtol=1e-5)
    expected = bernoulli * (_sigmoid(-wide) - _sigmoid(wide)) * apart**2
    np.testing.assert_allclose(tape.gradient(variance, logits), expected, rtol=1e-4, atol=1e-30)


# S6: moments and distribution of samples.


@pytest.mark.parametrize("beta", BETAS)
def test_moments_against_quadrature_and_the_closed_form(beta):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    z, weights = (nodes[:, np.newaxis] + 1) / 2, weights[:, np.newaxis] / 2
    prob = _prob(LOGITS, beta, z)
    mean = np.sum(weights * prob * z, axis=0)
    distribution = SmoothedBernoulli(LOGITS, beta)
    np.testing.assert_allclose(distribution.mean(), mean, rtol=1e-11)
    variance = np.sum(weights * prob * (z - mean) ** 2, axis=0)
    np.testing.assert_allclose(distribution.variance(), variance, rtol=1e-9)
    zero = 1 / beta - np.exp(-beta) / (1 - np.exp(-beta))
    q = _sigmoid(LOGITS)
    np.testing.assert_allclose(distribution.mean(), q * (1 - zero) + (1 - q) * zero, rtol=1e-12)


def test_sample_mean():
    # Two-sided at 6 standard errors: fails once in 5e8 for each of 7 logits.
    n = 100000
    distribution = SmoothedBernoulli(np.linspace(-6, 6, 7).astype(np.float32), 15.0)
    error = distribution.sample(n, seed=(2, 3)).numpy().mean(axis=0, dtype=np.float64) - distribution.mean()
    standard_error = np.sqrt(distribution.variance().numpy() / n)
    assert np.all(np.abs(error) < 6 * standard_error)
    assert np.any(np.abs(error) > 0.01 * standard_error)  # noise is there: all seven below, P = 3e-15


@pytest.mark.parametrize("beta", [5.0, 15.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_follow_the_cdf(beta, dtype):
    # By the Dvoretzky-Kiefer-Wolfowitz inequality P(sup |F_n - F| > eps) <= 2 exp(-2 n eps^2): 1e-8 in all.
    n = 20000
    logits = np.array([-200, -1, 0, 0.5, 3, 200])
    z = np.sort(SmoothedBernoulli(logits.astype(dtype), beta).sample(n, seed=(4, 5)).numpy(), axis=0)
    cdf = _cdf(logits, beta, z.astype(np.float64))
    steps = np.arange(n + 1)[:, np.newaxis] / n
    distance = np.maximum(np.abs(cdf - steps[1:]), np.abs(cdf - steps[:-1])).max(axis=0)
    assert np.all(distance < np.sqrt(np.log(2 * len(logits) / 1e-8) / (2 * n)))
    assert np.all(distance > 1e-4)  # not a grid


def test_bits_divergence_bounds_that_of_the_smoothed_variable():
    logits = np.array([-4.0, -1.0, 0.5, 3.0])
    z = np.linspace(0, 1, 200001)[:, np.newaxis]
    posterior = _prob(logits, 15.0, z)
    smoothed = np.trapezoid(posterior * np.log(posterior / _prob(0.0, 15.0, z)), z, axis=0)
    bits = bernoulli_kl(logits).numpy()
    assert np.all(smoothed < bits) and np.all(smoothed > 0.9 * bits)


# Interface.


def test_seeds():
    distribution = SmoothedBernoulli(np.zeros(1000, np.float32), 15.0)
    first, again, other = [distribution.sample(seed=tf.constant(s)).numpy() for s in ([1, 2], [1, 2], [1, 3])]
    np.testing.assert_array_equal(first, again)
    assert np.mean(first == other) < 0.01
    assert np.unique(first).size > 950


def test_noise_stays_inside_the_interval_and_is_the_same_in_both_precisions():
    noise = uniform(1_000_000, tf.zeros([]), seed=(1, 2)).numpy()
    assert LOW <= noise.min() < 1e-5 and 1 - 1e-5 < noise.max() <= HIGH  # each fails by chance once in e^10
    np.testing.assert_array_equal(noise, uniform(1_000_000, tf.zeros([], tf.float64), seed=(1, 2)))
    cells = noise.astype(np.float64) * 2**23
    np.testing.assert_array_equal(cells - np.floor(cells), 0.5)


def test_shapes_and_dtypes():
    distribution = SmoothedBernoulli(np.zeros((4, 1)), 15.0)
    assert distribution.batch_shape == (4, 1) and distribution.event_shape == ()
    assert distribution.dtype == tf.float64 and distribution.beta.dtype == tf.float64
    assert distribution.sample((2, 3), seed=(0, 1)).shape == (2, 3, 4, 1)
    for name in ("log_prob", "cdf", "quantile", "survival_function"):
        assert getattr(distribution, name)(np.full(5, 0.3)).shape == (4, 5)
    assert SmoothedBernoulli(0.0, 15.0).dtype == tf.float32
    assert distribution.reparameterization_type == tfp.distributions.FULLY_REPARAMETERIZED
    copied = distribution.copy(logits=np.ones(3))
    assert copied.batch_shape == (3,) and float(copied.beta) == 15.0


def test_beta_broadcasts():
    betas = np.array([[5.0], [15.0]], np.float32)
    distribution = SmoothedBernoulli([-1.0, 0.0, 2.0], betas)
    assert distribution.batch_shape == (2, 3)
    assert distribution.sample(7, seed=(0, 1)).shape == (7, 2, 3)
    each = [SmoothedBernoulli([-1.0, 0.0, 2.0], beta[0]) for beta in betas]
    for name in ("log_prob", "cdf", "quantile"):
        expected = [getattr(d, name)([0.3, 0.3, 0.3]) for d in each]
        np.testing.assert_allclose(getattr(distribution, name)([0.3, 0.3, 0.3]), expected, rtol=1e-6)
    np.testing.assert_allclose(distribution.mean(), [d.mean() for d in each], rtol=1e-6)


def test_gradients_of_broadcast_arguments_are_summed():
    logits, rho = tf.constant([[0.5], [-1.0]], tf.float64), tf.constant([0.2, 0.6, 0.9], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((logits, rho))
        z = SmoothedBernoulli(logits, 5.0).quantile(rho)
        log_prob = SmoothedBernoulli(logits, 5.0).log_prob(rho)
    wide_logits, wide_rho = np.tile(logits, [1, 3]), np.tile(rho, [2, 1])
    for value, name in [(z, "quantile"), (log_prob, "log_prob")]:
        _, d_logits, d_rho = _derivatives(name, wide_logits, 5.0, wide_rho)
        d_logits = d_logits.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(tape.gradient(value, logits), d_logits, rtol=1e-12)
        np.testing.assert_allclose(tape.gradient(value, rho), d_rho.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_graph_and_xla_equal_eager(dtype):
    logits = tf.constant(np.random.default_rng(0).uniform(-12, 12, (64, 30)).astype(dtype))
    seed = tf.constant([5, 6])

    def run(logits, seed):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            distribution = SmoothedBernoulli(logits, 15.0)
            z = distribution.sample(seed=seed)
            log_prob = distribution.log_prob(tf.stop_gradient(z))
        return z, log_prob, distribution.cdf(z), tape.gradient(z, logits), tape.gradient(log_prob, logits)

    eager = run(logits, seed)
    signature = [tf.TensorSpec([None, 30], logits.dtype), tf.TensorSpec([2], tf.int32)]
    graph = tf.function(run, input_signature=signature)
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    for other in (graph(logits, seed), tf.function(run, jit_compile=True)(logits, seed)):
        for x, y in zip(eager, other):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def test_outside_of_the_interval():
    distribution = SmoothedBernoulli(0.3, 15.0)
    np.testing.assert_array_equal(distribution.log_prob([-0.1, 1.1]), [-np.inf, -np.inf])
    np.testing.assert_array_equal(distribution.cdf([-0.1, 1.1]), [0, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="interval"):
        SmoothedBernoulli(0.3, 15.0, validate_args=True).log_prob(1.1)


def test_entropy_is_not_provided():
    with pytest.raises(NotImplementedError):
        SmoothedBernoulli(0.3, 15.0).entropy()


@pytest.mark.parametrize("beta", [0.0, -1.0, np.inf, np.nan, [5.0, 0.0]])
def test_beta_out_of_range_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be positive and finite in float32, got"):
        SmoothedBernoulli(0.0, beta)
    with pytest.raises(tf.errors.InvalidArgumentError, match="beta. must be positive and finite"):
        SmoothedBernoulli(0.0, tf.constant(beta, tf.float32), validate_args=True)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"logits must be float32 or float64, got bfloat16.*tf.cast"):
        SmoothedBernoulli(tf.constant(0.0, tf.bfloat16), 15.0)
    with pytest.raises(ValueError, match="beta must be float32 like the rest, got float64"):
        SmoothedBernoulli(0.0, tf.constant(15.0, tf.float64))
