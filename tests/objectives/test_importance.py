import numpy as np
import pytest
import tensorflow as tf

from tfcoded import objectives

LOG_WEIGHTS = np.random.default_rng(0).normal(-200, 3, [7, 4])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.999])
def test_bound_by_hand(alpha):
    weights = np.exp((LOG_WEIGHTS + 200) * (1 - alpha))
    expected = np.log(weights.mean(0)) / (1 - alpha) - 200
    np.testing.assert_allclose(objectives.vr_iwae(tf.constant(LOG_WEIGHTS), alpha), expected, rtol=1e-9)
    np.testing.assert_allclose(
        objectives.normalized_weights(tf.constant(LOG_WEIGHTS), alpha), weights / weights.sum(0), rtol=1e-9
    )


def test_alpha_one_is_the_limit():
    exact = objectives.vr_iwae(tf.constant(LOG_WEIGHTS), 1.0)
    np.testing.assert_allclose(exact, LOG_WEIGHTS.mean(0), rtol=1e-12)
    np.testing.assert_allclose(objectives.vr_iwae(tf.constant(LOG_WEIGHTS), 1 - 1e-6), exact, atol=1e-4)


def _exact(log_weights, alpha):
    """By definition, with 80 bits where the power of the weights is tiny."""
    power, wide = 1 - np.longdouble(alpha), np.asarray(log_weights, np.longdouble)
    return np.log(np.mean(np.exp(power * (wide - wide.max(0))), axis=0)) / power + wide.max(0)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("spread", [0.01, 5.0, 100.0])
def test_nothing_is_lost_to_rounding_as_alpha_goes_to_one(dtype, rtol, spread):
    """Computed as a log-sum-exp over a tiny power, float32 is off by 0.2 nats at 1 - 1e-6 and by 12 at 1 - 1e-9."""
    log_weights = np.random.default_rng(1).normal(-250, spread, [10, 6]).astype(dtype)
    spans = log_weights.max(0) - log_weights.mean(0)
    limit = log_weights.mean(0, dtype=np.float64)
    for power in (0.5, 0.1, 1e-3, 1e-6, 1e-9, 1e-12):
        bound = objectives.vr_iwae(tf.constant(log_weights), 1 - power)
        # The 80 bits of the reference are worth 1e-19 / power.
        np.testing.assert_allclose(bound, _exact(log_weights, 1 - power), rtol=rtol, atol=1e-18 / power)
        if power * spans.max() < 1e-4:
            np.testing.assert_allclose(bound, limit, rtol=1e-4)
            weights = objectives.normalized_weights(tf.constant(log_weights), 1 - power)
            np.testing.assert_allclose(weights, 0.1, rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_samples_of_weight_zero_and_graph_and_xla(alpha, dtype):
    log_weights = tf.constant([[-np.inf, 3.0, -np.inf], [1.0, -np.inf, -np.inf], [2.0, 4.0, -np.inf]], dtype)

    def run(log_weights):
        with tf.GradientTape() as tape:
            tape.watch(log_weights)
            bound = objectives.vr_iwae(log_weights, alpha)
        return bound, tape.gradient(bound, log_weights)

    finite = np.array([[1.0, 3.0], [2.0, 4.0]])
    expected = np.log(np.exp(finite * (1 - alpha)).sum(0) / 3) / (1 - alpha)
    graph = tf.function(run, input_signature=[tf.TensorSpec([None, None], dtype)])
    for function in (run, graph, tf.function(run, jit_compile=True)):
        bound, gradient = function(log_weights)
        np.testing.assert_allclose(bound[:2], expected, rtol=1e-6)
        assert bound[2] == -np.inf
        weights = objectives.normalized_weights(log_weights[:, :2], alpha)
        np.testing.assert_allclose(gradient[:, :2], weights, rtol=1e-6)
        np.testing.assert_array_equal(gradient[:, :2] == 0, [[True, False], [False, True], [False, False]])


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_no_samples_are_refused(alpha):
    with pytest.raises(ValueError, match="needs at least 1 sample, got 0"):
        objectives.vr_iwae(tf.zeros([0, 2]), alpha)
    for compiled in (False, True):
        unknown = tf.function(
            lambda x: objectives.vr_iwae(x, alpha),
            input_signature=[tf.TensorSpec([None, 2], tf.float32)],
            jit_compile=compiled,
        )
        np.testing.assert_allclose(unknown(tf.ones([1, 2])), 1)
        with pytest.raises(tf.errors.InvalidArgumentError, match="at.least.1.sample"):
            unknown(tf.zeros([0, 2]))


def test_decreasing_in_alpha_and_one_sample_is_its_weight():
    bounds = [objectives.vr_iwae(tf.constant(LOG_WEIGHTS), alpha).numpy() for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert (np.diff(bounds, axis=0) < 0).all()
    for alpha in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(objectives.vr_iwae(tf.constant(LOG_WEIGHTS[:1]), alpha), LOG_WEIGHTS[0], rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_gradient_counts_samples_by_their_weights(alpha):
    log_weights = tf.constant(LOG_WEIGHTS)
    with tf.GradientTape() as tape:
        tape.watch(log_weights)
        bound = objectives.vr_iwae(log_weights, alpha)
    expected = objectives.normalized_weights(log_weights, alpha)
    np.testing.assert_allclose(tape.gradient(bound, log_weights), expected, rtol=1e-9)
    scale = objectives.doubly_reparameterized_scale(log_weights, alpha)
    np.testing.assert_allclose(scale, alpha + (1 - alpha) * expected, rtol=1e-12)


def test_the_surrogate_flatters():
    """The weighted mean of the log-weights exceeds the bound by KL(W || uniform): published curves may show it."""
    log_weights = tf.constant(LOG_WEIGHTS)
    weights = objectives.normalized_weights(log_weights).numpy()
    surrogate = (weights * LOG_WEIGHTS).sum(0)
    bound = objectives.vr_iwae(log_weights).numpy()
    divergence = (weights * np.log(7 * weights)).sum(0)
    np.testing.assert_allclose(surrogate - bound, divergence, rtol=1e-6)
    assert (divergence > 0.1).all()


def test_huge_weights_stay_finite():
    for alpha in (0.0, 0.5, 1.0):
        extreme = tf.constant([[-1e5], [1e5], [0.0]])
        assert np.isfinite(objectives.vr_iwae(extreme, alpha)).all()
        assert np.isfinite(objectives.normalized_weights(extreme, alpha)).all()


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_impossible_alpha(alpha):
    for function in (objectives.vr_iwae, objectives.normalized_weights, objectives.doubly_reparameterized_scale):
        with pytest.raises(ValueError, match=r"alpha must be a number in \[0, 1\]"):
            function(tf.zeros([2, 1]), alpha)
