"""Stateless seeds: every draw is a pure function of (run seed, purpose, step, replica)."""

import functools
import numbers

from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")
tf = LazyModule("tensorflow")

# Purposes. Two draws that must be independent never share one.
TRAIN = 1
TEST = 2
EVALUATE = 3
GENERATE = 4

_BITS = 61  # of an integer seed: two parts of 31 bits, one of them for negative ones


def derive(seed, *data):
    """A seed `int32 [2]` that depends on `seed` and on every number in `data`.

    Args:
      seed: `int` in [-2^61, 2^61), or seed tensor `int32 [2]`.
      *data: `int`s or integer scalars, such as purpose, step and replica, within the range of int32.

    Returns:
      `int32 [2]`, for `tf.random.stateless_*` and the `seed` of TFP.

    Raises:
      ValueError: if one of them is something else. What only a graph knows is not looked at.
    """
    fold = _fold_at_once(len(data)) if tf.executing_eagerly() else _fold
    return fold(as_pair(seed), [_int32(number, "a number that a seed is derived by must be int32") for number in data])


def as_pair(seed):
    """`seed` as `int32 [2]`, see `derive`.

    Raises:
      ValueError: if it is neither an `int` in [-2^61, 2^61) nor two integers within the range of int32.
    """
    if isinstance(seed, numbers.Integral):
        seed = int(seed)
        if not -(2**_BITS) <= seed < 2**_BITS:
            raise ValueError(f"seed must be in [-2^{_BITS}, 2^{_BITS}), got {seed}")
        return tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    pair = _int32(seed, "seed must be int32 [2]")
    if not pair.shape.is_compatible_with([2]):
        raise ValueError(f"seed must be int32 [2], got shape {pair.shape}")
    return pair


def _int32(value, rule):
    """`value` as tf.int32; nothing is cut off, where the value is known. `rule` begins the message of an error."""
    try:
        tensor = tf.convert_to_tensor(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{rule}, got {value!r}") from None
    if not tensor.dtype.is_integer:
        raise ValueError(f"{rule}, got {tensor.dtype.name}")
    if tensor.dtype != tf.int32:
        known = tf.get_static_value(tensor)
        if known is not None and not np.all((known >= tf.int32.min) & (known <= tf.int32.max)):
            raise ValueError(f"{rule}, from -2^31 to 2^31 - 1, got {known}")
    return tf.cast(tensor, tf.int32)


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
