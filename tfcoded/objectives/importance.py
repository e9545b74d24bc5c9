"""Importance-weighted bounds, from log-weights."""

import tensorflow as tf


def vr_iwae(log_weights, alpha=0.0):
    """The VR-IWAE bound; the IWAE bound for `alpha = 0`.

    ```none
    L = 1 / (1 - alpha)  log( 1/S sum_i w_i^(1 - alpha) ),     w_i = p(x | z_i) p(z_i) / q(z_i | x),  z_i ~ q
    ```

    It decreases in alpha, increases with S, and never exceeds log p(x) in expectation; `alpha = 1` is its limit, the
    mean of the log-weights, an evidence lower bound. Differentiated as it stands it gives the reparameterized gradient,
    in which sample i counts with its normalized weight (`normalized_weights`).

    This is the bound itself. The sum of normalized weights times log-weights, which has the same gradient with respect
    to the weights held fixed, exceeds it by a Kullback-Leibler divergence and bounds nothing.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Returns:
      `[...]`, same dtype, in nats.

    Raises:
      ValueError: if `alpha` is outside [0, 1].

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
    if alpha == 1.0:
        return tf.reduce_mean(log_weights, axis=0)
    samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    power = 1.0 - alpha
    return (tf.reduce_logsumexp(power * log_weights, axis=0) - tf.math.log(samples)) / power


def normalized_weights(log_weights, alpha=0.0):
    """`W_i = w_i^(1 - alpha) / sum_j w_j^(1 - alpha)`, `[S, ...]`, without a gradient.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Raises:
      ValueError: if `alpha` is outside [0, 1].
    """
    _check(alpha)
    return tf.stop_gradient(tf.nn.softmax((1.0 - alpha) * log_weights, axis=0))


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
