"""Importance-weighted bounds, from log-weights."""

import tensorflow as tf

from tfcoded.objectives.samples import at_least


def vr_iwae(log_weights, alpha=0.0):
    """The VR-IWAE bound; the IWAE bound for `alpha = 0`.

    ```none
    L = 1 / (1 - alpha)  log( 1/S sum_i w_i^(1 - alpha) ),     w_i = p(x | z_i) p(z_i) / q(z_i | x),  z_i ~ q
    ```

    It decreases in alpha, increases with S, and never exceeds log p(x) in expectation; `alpha = 1` is its limit, the
    mean of the log-weights, an evidence lower bound. Differentiated as it stands it gives the reparameterized gradient,
    in which sample i counts with its normalized weight (`normalized_weights`).

    With M the largest log-weight and d_i = log w_i - M it is `M + log1p(mean expm1((1 - alpha) d_i)) / (1 - alpha)`
    where that mean is above -1/2: as alpha goes to 1 nothing is lost to rounding. A sample of weight 0 is allowed.

    This is the bound itself. The sum of normalized weights times log-weights, which has the same gradient with respect
    to the weights held fixed, exceeds it by a Kullback-Leibler divergence and bounds nothing.

    Args:
      log_weights: `[S, ...]`, floating, in nats, S at least 1.
      alpha: `float` in [0, 1].

    Returns:
      `[...]`, same dtype, in nats.

    Raises:
      ValueError: if `alpha` is outside [0, 1], or there is no sample (`InvalidArgumentError` where S is not static).

    Example:

    ```python
    vr_iwae(tf.math.log([[1.0], [3.0]]))             # log 2
    vr_iwae(tf.math.log([[1.0], [3.0]]), alpha=1.0)  # (log 3) / 2
    ```

    #### References

    [1]: Burda, Grosse, Salakhutdinov. Importance Weighted Autoencoders. ICLR 2016.
    [2]: Daudel, Benton, Shi, Doucet. Alpha-divergence Variational Inference Meets Importance Weighted Auto-Encoders.
         JMLR 2023.
    """
    _check(alpha)
    log_weights = at_least(1, log_weights, "the VR-IWAE bound")
    if alpha == 1.0:
        return tf.reduce_mean(log_weights, axis=0)
    return _power_mean(log_weights, 1.0 - alpha)


def _power_mean(log_weights, power):
    """`log(mean_i w_i^power) / power` over the first axis, for a power in (0, 1]."""

    # Written out: of two branches with infinite slopes autodiff makes NaN, also where the other one is taken.
    @tf.custom_gradient
    def power_mean(log_weights):
        samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
        top, distances = _centred(log_weights)
        distances *= power
        weights = tf.exp(distances)
        total = tf.reduce_sum(weights, axis=0)

        def gradient(upstream):
            return upstream * tf.math.reciprocal(total) * weights

        shortfall = tf.reduce_mean(tf.math.expm1(distances), axis=0)
        close = top + tf.math.log1p(shortfall) / power
        apart = (tf.math.log(total) + power * top - tf.math.log(samples)) / power
        return tf.where(shortfall > -0.5, close, apart), gradient

    return power_mean(log_weights)


def _centred(log_weights):
    """The largest of the log-weights over the first axis, 0 where it is infinite, and all of them minus it."""
    largest = tf.reduce_max(log_weights, axis=0)
    largest = tf.where(tf.math.is_finite(largest), largest, tf.zeros_like(largest))
    return largest, log_weights - largest


def normalized_weights(log_weights, alpha=0.0):
    """`W_i = w_i^(1 - alpha) / sum_j w_j^(1 - alpha)`, `[S, ...]`, without a gradient.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Raises:
      ValueError: if `alpha` is outside [0, 1].
    """
    _check(alpha)
    return tf.stop_gradient(tf.nn.softmax((1.0 - alpha) * _centred(log_weights)[1], axis=0))


def doubly_reparameterized_scale(log_weights, alpha=0.0):
    """By how much the gradient through z_i counts, relative to W_i, when the score of q is reparameterized once more.

    The gradient with respect to the encoder is `sum_i (alpha W_i + (1 - alpha) W_i^2) [d log w / dz](z_i) dz_i / d eta`,
    with q's parameters held fixed inside `log w`; this function gives `alpha + (1 - alpha) W_i`.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Returns:
      `[S, ...]`, without a gradient. `alpha = 0` is the IWAE-DReG estimator, `alpha = 1` "sticking the landing".

    Raises:
      ValueError: if `alpha` is outside [0, 1].

    #### References

    [1]: Tucker, Lawson, Gu, Maddison. Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives. ICLR 2019.
    [2]: Daudel, Benton, Shi, Doucet. Alpha-divergence Variational Inference Meets Importance Weighted Auto-Encoders.
         JMLR 2023.
    """
    return alpha + (1.0 - alpha) * normalized_weights(log_weights, alpha)


def _check(alpha):
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must be a number in [0, 1], got {alpha!r}")
