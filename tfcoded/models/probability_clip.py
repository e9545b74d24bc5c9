"""The clip of the encoder's probabilities, in logits."""

import math

import tensorflow as tf


@tf.custom_gradient
def clip_probability(logits, low=0.001):
    """Logits of `clip(sigmoid(logits), low, 1 - low)`, the gradient passed straight through the clip.

    Soft decoding multiplies the probabilities of all copies of a bit, so this bounds what one copy can claim. With
    p = sigmoid(l) and p' its clipped value, "straight through" means dp'/dp = 1, hence

        d logit(p') / dl = p (1 - p) / (p' (1 - p')),

    which is 1 inside the bounds and decays outside. The published experiments trained with this clip.

    Args:
      logits: tensor of any shape, floating.
      low: `float` in (0, 1/2), the smallest probability.

    Returns:
      Tensor like `logits`, within +-logit(1 - low).

    Example:

    ```python
    tf.sigmoid(clip_probability(tf.constant([-20.0, 0.3, 20.0])))  # 0.001, 0.574, 0.999
    ```
    """
    bound = math.log1p(-low) - math.log(low)
    clipped = tf.clip_by_value(logits, -bound, bound)

    def gradient(upstream):
        def log_slope(logit):  # log p (1 - p)
            return -tf.math.softplus(logit) - tf.math.softplus(-logit)

        return upstream * tf.exp(log_slope(logits) - log_slope(clipped))

    return clipped, gradient
