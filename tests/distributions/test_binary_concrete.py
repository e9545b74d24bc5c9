"""BinaryConcreteLogit: the law of relaxed bits (R1 to R5), numerics at the extremes."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions import BinaryConcreteLogit

tfd = tfp.distributions
TEMPERATURES = np.array([0.1, 0.2, 0.5, 1.0, 2.0])
LOGITS = np.array([-80.0, -9.0, -2.0, -0.3, 0.0, 0.7, 4.0, 80.0])
SEED = (5, 6)


def _grid(*axes):
    return [x.ravel() for x in np.meshgrid(*axes)]


def test_density_is_that_of_a_logistic_variable():
    """R1, first half; and cdf, quantile, moments with it."""
    logits, temperature, y = _grid(LOGITS, TEMPERATURES, np.linspace(-80, 80, 33))
    ours = BinaryConcreteLogit(logits, temperature)
    theirs = tfd.Logistic(logits / temperature, 1 / temperature)
    np.testing.assert_allclose(ours.log_prob(y), theirs.log_prob(y), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.cdf(y), theirs.cdf(y), rtol=1e-10)
    np.testing.assert_allclose(ours.survival_function(y), theirs.survival_function(y), rtol=1e-10)
    log_tail = np.log(theirs.survival_function(y))
    np.testing.assert_allclose(ours.log_cdf(y), np.log(theirs.cdf(y)), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(ours.log_survival_function(y), log_tail, rtol=1e-9, atol=1e-15)
    for name in ("mean", "mode", "variance", "entropy"):
        np.testing.assert_allclose(getattr(ours, name)(), getattr(theirs, name)(), rtol=1e-12)
    r = np.linspace(0.01, 0.99, logits.size)
    np.testing.assert_allclose(ours.quantile(r), theirs.quantile(r), rtol=1e-10, atol=1e-9)


def test_density_is_that_of_a_relaxed_bernoulli_through_the_jacobian():
    """R1, second half: and equation 19 with its sign repaired."""
    logits, temperature, y = _grid(np.array([-2.0, 0.0, 1.5]), TEMPERATURES, np.linspace(-7.9, 7.9, 21))
    x = 1 / (1 + np.exp(-y))
    ours = BinaryConcreteLogit(logits, temperature).log_prob(y) - np.log(x) - np.log1p(-x)
    theirs = tfd.RelaxedBernoulli(temperature, logits=logits).log_prob(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    odds, t = np.exp(logits), temperature
    printed = t * odds * x ** (-t - 1) * (1 - x) ** (-t - 1) / (odds * x**-t + (1 - x) ** -t) ** 2
    np.testing.assert_allclose(np.exp(ours), printed, rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
def test_density_integrates_to_one(temperature):
    """R2."""
    logit = 1.5
    y = np.linspace(-60, 60, 20001) / temperature
    density = np.exp(BinaryConcreteLogit(np.float64(logit), temperature).log_prob(y))
    np.testing.assert_allclose(np.trapezoid(density, y), 1, atol=1e-9)


def test_probability_of_a_one_does_not_depend_on_the_temperature():
    """R3: P(X > 1/2) = sigmoid(l). 4.5 standard errors each, 9 comparisons: false-failure rate 6e-5."""
    n = 100000
    logits, temperature = _grid(np.array([-2.0, 0.0, 0.7]), np.array([0.1, 0.5, 2.0]))
    y = BinaryConcreteLogit(logits, temperature).sample(n, seed=SEED).numpy()
    p = 1 / (1 + np.exp(-logits))
    assert np.all(np.abs((y > 0).mean(axis=0) - p) < 4.5 * np.sqrt(p * (1 - p) / n))


def test_low_temperature_gives_bits():
    n = 20000
    x = tf.sigmoid(BinaryConcreteLogit(0.4, 0.01).sample(n, seed=SEED)).numpy()
    # |Y| < 5 has probability about 2 * 5 * T / 4 = 0.024; 0.05 is 20 standard errors away.
    assert np.mean((x > 0.01) & (x < 0.99)) < 0.05


def test_extremes_in_float32_are_finite_and_right():
    """R4: log-density and its gradient at y = +-80 and far beyond."""
    y = tf.constant([-1e4, -80.0, 80.0, 1e4])
    logits = tf.constant([0.0, 3.0, -3.0, 50.0])
    for temperature in TEMPERATURES:
        with tf.GradientTape() as tape:
            tape.watch((y, logits))
            log_prob = BinaryConcreteLogit(logits, temperature).log_prob(y)
        exact = tfd.Logistic(np.float64(logits) / temperature, 1 / temperature).log_prob(np.float64(y))
        np.testing.assert_allclose(log_prob, exact, rtol=1e-5)
        d_y, d_logits = tape.gradient(log_prob, (y, logits))
        c = temperature * y.numpy().astype(np.float64) - logits.numpy()
        np.testing.assert_allclose(d_y, -temperature * np.tanh(c / 2), rtol=1e-5)
        np.testing.assert_allclose(d_logits, np.tanh(c / 2), rtol=1e-5)


def test_divergence_from_samples():
    """R5: KL(q||q) = 0 exactly, KL(q||p) >= 0 and equal to quadrature, within 4.5 standard errors."""
    q, p = BinaryConcreteLogit(np.float64(1.0), 0.2), BinaryConcreteLogit(np.float64(0.0), 0.1)
    y = q.sample(100000, seed=SEED)
    assert np.all(q.log_prob(y) - q.log_prob(y) == 0)
    samples = (q.log_prob(y) - p.log_prob(y)).numpy()
    grid = np.linspace(-300, 300, 60001)
    exact = np.trapezoid(np.exp(q.log_prob(grid)) * (q.log_prob(grid) - p.log_prob(grid)), grid)
    assert exact > 0.1
    assert abs(samples.mean() - exact) < 4.5 * samples.std() / np.sqrt(samples.size)


def test_gradient_of_samples_equals_finite_differences():
    def sample(logits, temperature):
        return BinaryConcreteLogit(logits, temperature).sample(seed=SEED)

    logits, temperature = [tf.constant(x) for x in _grid(LOGITS, TEMPERATURES)]
    with tf.GradientTape() as tape:
        tape.watch((logits, temperature))
        y = sample(logits, temperature)
    step = 1e-5
    d_logits, d_temperature = tape.gradient(y, (logits, temperature))
    numeric = (sample(logits + step, temperature) - sample(logits - step, temperature)) / (2 * step)
    np.testing.assert_allclose(d_logits, numeric, rtol=1e-6)
    numeric = (sample(logits, temperature + step) - sample(logits, temperature - step)) / (2 * step)
    np.testing.assert_allclose(d_temperature, numeric, rtol=1e-6, atol=1e-6)


def test_shapes_and_xla():
    distribution = BinaryConcreteLogit(np.zeros((4, 1), np.float32), np.float32([0.1, 0.2, 0.3]))
    assert distribution.batch_shape == (4, 3) and distribution.event_shape == ()
    assert distribution.sample(2, seed=SEED).shape == (2, 4, 3)
    assert distribution.entropy().shape == distribution.variance().shape == (4, 3)

    def run(logits):
        distribution = BinaryConcreteLogit(logits, 0.2)
        y = distribution.sample(seed=tf.constant(SEED))
        return y, distribution.log_prob(y)

    logits = tf.constant(np.linspace(-50, 50, 999), tf.float32)
    for eager, compiled in zip(run(logits), tf.function(run, jit_compile=True)(logits)):
        np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-4)


def test_bad_parameters_are_refused():
    for temperature in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="temperature must be positive"):
            BinaryConcreteLogit(0.0, temperature)
    with pytest.raises(ValueError, match="float32 or float64"):
        BinaryConcreteLogit(tf.constant(0.0, tf.float16), 0.1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="positive"):
        BinaryConcreteLogit(0.0, tf.constant(-1.0), validate_args=True)
