"""The divergence of two normal distributions."""

import tensorflow as tf

from tfcoded.distributions._tensors import as_parameter


def normal_kl(mean, log_std, prior_mean=0.0, prior_log_std=0.0):
    """Divergence KL(N(mean, std^2) || N(prior_mean, prior_std^2)) of a number, in nats.

    With `d = log_std - prior_log_std` and `e = (mean - prior_mean) / prior_std` it is
    `(exp(2 d) - 1 - 2 d + e^2) / 2`, computed with `expm1`: no logarithm of a ratio, and exact where the two
    agree.

    ```python
    normal_kl([0.0, 1.0], [0.0, 0.0])   # [0., 0.5]
    ```

    Args:
      mean: float32 or float64 tensor.
      log_std: the logarithm of the standard deviation, of the same dtype, broadcast against the others.
      prior_mean: of the same dtype.
      prior_log_std: of the same dtype.

    Returns:
      Divergences in nats, one per number (nothing is summed), of the broadcast shape.

    Raises:
      ValueError: if a dtype is neither float32 nor float64, or they differ.
    """
    mean = as_parameter(mean, "mean")
    log_std = as_parameter(log_std, "log_std", mean.dtype)
    prior_mean = as_parameter(prior_mean, "prior_mean", mean.dtype)
    prior_log_std = as_parameter(prior_log_std, "prior_log_std", mean.dtype)
    wider = 2 * (log_std - prior_log_std)
    distance = (mean - prior_mean) * tf.exp(-prior_log_std)
    return 0.5 * (tf.math.expm1(wider) - wider + tf.square(distance))
