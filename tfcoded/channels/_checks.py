"""Checks and conversions that the channels share."""

import numbers

import numpy as np
import tensorflow as tf

from tfcoded.utils import seeds


def positive(value, name):
    """`value` as float64, all of it positive and finite."""
    array = _numeric(value, name)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return array


def probability(value, name):
    """`value` as float64, all of it in [0, 1]."""
    array = _numeric(value, name)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    return array


def positive_count(value, name):
    """`value` as a positive `int`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def choice(value, name, choices):
    """`value`, which must be one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def as_reals(value, name, like=None):
    """Converts real symbols to float32, or to float64 where they are; half precision is widened.

    Args:
      value: floating-point tensor.
      name: `str`, what an error message calls it.
      like: tensor whose dtype the result has and whose shape it must have, or `None`.

    Raises:
      ValueError: if `value` is not floating point, or has not the shape of `like`.
    """
    value = tf.convert_to_tensor(value)
    if not value.dtype.is_floating:
        raise ValueError(f"{name} must be real numbers in floating point, got {value.dtype.name}")
    if like is not None:
        if not value.shape.is_compatible_with(like.shape):
            raise ValueError(f"{name} must have the shape {like.shape} of the symbols, got {value.shape}")
        return tf.cast(value, like.dtype)
    return value if value.dtype in (tf.float32, tf.float64) else tf.cast(value, tf.float32)


def derive(seed, purpose, supplied):
    """The seed of one draw; `supplied` says by which argument the draw could have been given instead.

    Raises:
      ValueError: if there is no seed, or it is neither an integer nor int32 [2], see `tfcoded.utils.seeds.derive`.
    """
    if seed is None:
        raise ValueError(
            f"the channel draws random numbers and was given no seed; pass seed= (int32 [2],"
            f" see tfcoded.utils.seeds.derive), or the draw itself as {supplied}="
        )
    return seeds.derive(seed, purpose)


def _numeric(value, name):
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
