"""Random numbers that a seed determines, the same in eager mode, in graphs and under XLA."""

import math
import numbers

import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.utils.seeds import as_pair


def uniform(n, like, seed):
    """Draws uniform numbers at the centres of 2^23 cells, hence within [2^-24, 1 - 2^-24].

    Away from the ends of the interval every quantile and its derivative is finite. The numbers are made from
    integers because TensorFlow's stateless integers are the same in eager mode and under XLA, and its
    stateless floats are not: a seed gives the same noise in both, and in float32 and float64.

    Args:
      n: `int` or scalar tensor, the number of samples.
      like: tensor whose shape (the batch) and dtype the draws have.
      seed: a seed as TFP takes them; an int32 tensor [2] is stateless.

    Returns:
      Tensor [n, ...] of the dtype of `like`.
    """
    shape = tf.concat([[n], tf.shape(like)], axis=0)
    if seed is not None and not isinstance(seed, numbers.Integral):
        seed = as_pair(seed)
    seed = tfp.random.sanitize_seed(seed)
    bits = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.int32, alg="philox")
    # From -2^22 to 2^22 - 1: exact in float32, as is what follows.
    cell = tf.cast(tf.bitwise.right_shift(bits, 9), like.dtype)
    return (cell + 0.5) * 2.0**-23 + 0.5


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
