"""Standard normal numbers that are the same in eager mode and under XLA."""

import math

import tensorflow as tf

from tfcoded.distributions.truncated_exponential import uniform


def standard_normal(like, seed):
    """Draws standard normal numbers, `sqrt(2) erfinv(2 u - 1)` of stateless uniform ones.

    `tf.random.stateless_normal` gives other numbers once XLA compiles it. Here only the rounding of `erfinv`
    depends on who compiles (5e-6 relative in float32), and float32 and float64 see the same draw. The uniform
    numbers are the centres of 2^23 cells, hence no number exceeds 5.295 in size (1.2e-7 of all normal ones
    do).

    ```python
    standard_normal(tf.zeros([2, 3]), seed=tf.constant([1, 2]))   # [2, 3]
    ```

    Args:
      like: float32 or float64 tensor whose shape and dtype the draws have; its values are not read.
      seed: stateless seed, int32 [2].

    Returns:
      Tensor of the shape and dtype of `like`.
    """
    # From -1 + 2^-23 to 1 - 2^-23: exact, because the uniform numbers are multiples of 2^-24.
    signed = 2 * uniform(1, like, seed)[0] - 1
    return tf.ensure_shape(math.sqrt(2) * tf.math.erfinv(signed), like.shape)
