"""Sums of log-likelihood ratios, of which some may be infinite and any may be as large as a number can be."""

import math

from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


def add_up(logits, add, terms):
    """A sum of logits, in two parts, neither of which is ever NaN.

    An infinite logit stands for one that is larger than all finite ones together, and all infinite ones are equally
    large: as many for a one as for a zero leave the decision to the finite ones.

    Args:
      logits: floating-point tensor.
      add: linear function of a tensor like `logits`, in its dtype and in tf.float32, that adds some of its numbers up.
      terms: `int`, how many numbers it adds up at most.

    Returns:
      `finite`, `scale` and `certain`: the sum of the finite logits is `scale * finite`, which may overflow where
      `finite` does not; `certain`, tf.float32, is the number of infinite ones for a one minus that for a zero, without
      a gradient. `scale` is a power of two, so that nothing else is rounded.
    """
    infinite = tf.math.is_inf(logits)
    scale = 2.0 ** math.ceil(math.log2(terms))
    finite = add(tf.where(infinite, tf.zeros_like(logits), logits) / scale)
    certain = add(tf.cast(infinite, tf.float32) * tf.cast(tf.sign(logits), tf.float32))
    return finite, scale, tf.stop_gradient(certain)
