"""Conversion and broadcasting of distribution parameters."""

import tensorflow as tf

_DTYPES = (tf.float32, tf.float64)


def as_parameter(value, name, dtype=None):
    """Converts `value` to a float32 or float64 tensor; a `tf.Variable` is kept, so that it is read when used.

    Python numbers and lists become float32 (or `dtype`); arrays and tensors keep the type they have.

    Args:
      value: number, array, tensor or `tf.Variable`.
      name: `str`, what the value is called in an error message.
      dtype: the `tf.DType` that is required, or `None` for either.

    Raises:
      ValueError: if the type is neither float32 nor float64, or is not `dtype`. Densities in half precision
        are useless (a log-probability of -15 would be known to 0.06), so such a network casts first.
    """
    if not isinstance(value, tf.Variable):
        if not hasattr(value, "dtype"):
            value = tf.convert_to_tensor(value, dtype=dtype or tf.float32, name=name)
        else:
            value = tf.convert_to_tensor(value, name=name)
    if value.dtype not in _DTYPES:
        raise ValueError(
            f"{name} must be float32 or float64, got {value.dtype.name}; cast it first: tf.cast({name}, tf.float32)"
        )
    if dtype is not None and value.dtype != dtype:
        raise ValueError(f"{name} must be {tf.as_dtype(dtype).name} like the rest, got {value.dtype.name}")
    return value


def broadcast_together(x, y):
    """Broadcasts two tensors against each other; outside of a custom gradient, so that autodiff undoes it."""
    if x.shape.is_fully_defined() and x.shape == y.shape:
        return x, y
    shape = tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(y))
    static_shape = tf.broadcast_static_shape(x.shape, y.shape)
    return tuple(tf.ensure_shape(tf.broadcast_to(tensor, shape), static_shape) for tensor in (x, y))
