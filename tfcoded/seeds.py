"""Stateless seeds: every draw is a pure function of (run seed, purpose, step, replica)."""

import functools
import numbers

import tensorflow as tf

# Purposes. Two draws that must be independent never share one.
TRAIN = 1
TEST = 2
EVALUATE = 3
GENERATE = 4


def derive(seed, *data):
    """A seed `int32 [2]` that depends on `seed` and on every number in `data`.

    Args:
      seed: `int`, or seed tensor `int32 [2]`.
      *data: `int`s or integer scalars, such as purpose, step and replica.

    Returns:
      `int32 [2]`, for `tf.random.stateless_*` and the `seed` of TFP.

    Example:

    ```python
    noise = tf.random.stateless_uniform([3], derive(0, TRAIN, step, replica))
    ```
    """
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        seed = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    fold = _fold_at_once(len(data)) if tf.executing_eagerly() else _fold
    return fold(tf.convert_to_tensor(seed), [tf.cast(number, tf.int32) for number in data])


def bits(shape, seed):
    """Fair bits, the same outside functions, in a graph and under XLA.

    Args:
      shape: list of `int`s or an integer tensor.
      seed: `int32 [2]`.

    Returns:
      tf.int32 of that shape, 0 or 1.
    """
    return tf.random.stateless_uniform(shape, seed, 0, 2, tf.int32, alg="philox")


def _fold(seed, data):
    for number in data:
        # The algorithm is named because "auto_select" reads negative seeds differently when XLA compiles it.
        seed = tf.random.experimental.stateless_fold_in(seed, number, alg="philox")
    return seed


@functools.cache
def _fold_at_once(count):
    """`_fold` of so many numbers as one call: each takes tens of operations, which one by one cost milliseconds."""
    return tf.function(_fold, autograph=False)
