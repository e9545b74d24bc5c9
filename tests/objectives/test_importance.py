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
