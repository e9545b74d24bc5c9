import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import objectives

LOGITS = tf.constant([0.3, -1.0, 0.8], tf.float64)
VALUES = tf.constant([2.0, -1.0, 5.0], tf.float64)


def gradient(choices, baseline=objectives.leave_one_out):
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        log_q = tf.gather(tf.nn.log_softmax(LOGITS), choices)
        surrogate = baseline(tf.gather(VALUES, choices), log_q)
    return tape.gradient(surrogate, LOGITS).numpy()


def test_unbiased_by_summing_over_all_draws():
    """E over every possible draw of three samples, exactly: the gradient of E_q[f]."""
    q = tf.nn.softmax(LOGITS).numpy()
    mean = sum(q[list(draw)].prod() * gradient(tf.constant(draw)) for draw in itertools.product(range(3), repeat=3))
    np.testing.assert_allclose(mean, q * (VALUES.numpy() - q @ VALUES.numpy()), rtol=1e-9)


def test_equal_to_the_mean_of_the_others_as_baseline():
    def others(values, log_q):
        baseline = (tf.reduce_sum(values) - values) / (len(values) - 1)
        return tf.reduce_mean(tf.stop_gradient(values - baseline) * log_q)

    draw = tf.constant([0, 2, 2, 1])
    np.testing.assert_allclose(gradient(draw), gradient(draw, others), rtol=1e-12)


def test_equal_values_teach_nothing():
    np.testing.assert_allclose(gradient(tf.constant([1, 1, 1])), 0, atol=1e-15)


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        objectives.leave_one_out(tf.zeros([1, 2]), tf.zeros([1, 2]))


@pytest.mark.parametrize("compiled", [False, True])
def test_an_unknown_number_of_samples_that_turns_out_to_be_one_is_refused(compiled):
    """It is divided by the number of the others: the surrogate and its gradient would be NaN."""
    unknown = tf.TensorSpec([None, 2], tf.float32)
    function = tf.function(objectives.leave_one_out, input_signature=[unknown, unknown], jit_compile=compiled)
    values, log_q = tf.constant([[1.0, 2.0], [3.0, 5.0]]), tf.constant([[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(function(values, log_q), objectives.leave_one_out(values, log_q), rtol=1e-6)
    for count in (0, 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="at.least.2.samples"):
            function(values[:count], log_q[:count])
