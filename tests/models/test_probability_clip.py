import numpy as np
import tensorflow as tf

from tfcoded.models.probability_clip import clip_probability


def test_clips_probabilities():
    logits = tf.constant([-300.0, -20.0, -6.9, 0.3, 6.9, 300.0])
    expected = np.clip(tf.sigmoid(logits), 0.001, 0.999)
    np.testing.assert_allclose(tf.sigmoid(clip_probability(logits)), expected, rtol=1e-4)


def test_gradient_is_that_of_the_straight_through_clip():
    """Autodiff of the definition, probabilities and all, in float64."""
    logits = tf.constant([-12.0, -8.0, -6.9, -1.0, 0.0, 3.0, 6.9, 7.5, 11.0], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        p = tf.sigmoid(logits)
        clipped = p + tf.stop_gradient(tf.clip_by_value(p, 0.001, 0.999) - p)
        by_definition = tf.math.log(clipped) - tf.math.log1p(-clipped)
        ours = clip_probability(logits)
    np.testing.assert_allclose(ours, by_definition, rtol=1e-9, atol=1e-12)
    expected = tape.gradient(by_definition, logits)
    np.testing.assert_allclose(tape.gradient(ours, logits), expected, rtol=1e-6)
    assert expected[4] == 1.0 and 0.0 < expected[0] < 0.01


def test_gradient_is_finite_far_out():
    logits = tf.constant([-200.0, 200.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        y = clip_probability(logits)
    assert np.isfinite(tape.gradient(y, logits)).all()
