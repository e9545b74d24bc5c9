"""The score-function gradient of discrete samples, each with the others as its baseline."""

import tensorflow as tf

from tfcoded.objectives.samples import at_least


def leave_one_out(values, log_probabilities):
    """A surrogate whose gradient is the REINFORCE leave-one-out estimator of the gradient of E_q[f].

    ```none
    g = 1/(S - 1) sum_s (f_s - mean f) grad log q(c_s)        (equation 27)
    ```

    which is unbiased: it subtracts from each f_s the mean of the other S - 1, which does not depend on c_s. The
    explicit dependence of f on q's parameters is not in it; where f holds `log q`, its gradient has mean zero.

    Args:
      values: `[S, ...]`, f of each sample; no gradient is taken of it.
      log_probabilities: `[S, ...]`, log q of each sample, differentiable in q's parameters.

    Returns:
      `[...]`. Only its gradient means anything; its value does not.

    Raises:
      ValueError: if there are fewer than 2 samples (`InvalidArgumentError` where their number is not static).

    Example:

    ```python
    with tf.GradientTape() as tape:
        surrogate = leave_one_out(f, log_q)  # both [10, b]
    tape.gradient(surrogate, encoder.trainable_weights)
    ```

    #### References

    [1]: Kool, van Hoof, Welling. Buy 4 REINFORCE Samples, Get a Baseline for Free! ICLR 2019 workshop.
    [2]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         equations 27-29.
    """
    values = at_least(2, values, "leave-one-out, where the others are the baseline of each,")
    others = tf.cast(tf.shape(values)[0] - 1, values.dtype)
    advantage = (values - tf.reduce_mean(values, axis=0)) / others
    return tf.reduce_sum(tf.stop_gradient(advantage) * log_probabilities, axis=0)
