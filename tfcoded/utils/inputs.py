"""What signatures accept: every input of a request is checked, its shape, its type and its values, before it is used.

Servers check types alone. Wrong shapes end in the kernels behind, which may abort the process or answer nonsense.
"""

import tensorflow as tf

LARGEST = 1e6  # size of a real symbol; what networks make of much larger ones overflows


def images(value, shape):
    """Images `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].

    Args:
      value: what a caller gave as `images`.
      shape: `(h, w, c)`.

    Returns:
      The same images.

    Raises:
      ValueError: for another type or shape. What is known only when the function runs is refused then: an
        `InvalidArgumentError`, INVALID_ARGUMENT of a server. So are the inputs below.
    """
    types = (tf.uint8, tf.float32)
    value = _of(value, "images", "are", (None, *shape), types, "uint8 in 0..255, or float32 in [0, 1]")
    if value.dtype == tf.uint8:
        return value
    inside = (value >= 0) & (value <= 1)  # false for NaN
    return _where(inside, value, "float32 images must lie in [0, 1]; send those in 0..255 as uint8")


def unit_interval(value, name, size):
    """Numbers in [0, 1], tf.float32 `[N, size]`, as `images`."""
    value = _of(value, name, "is", (None, size), (tf.float32,))
    return _where((value >= 0) & (value <= 1), value, f"{name} must lie in [0, 1]")


def reals(value, name, size):
    """Real symbols, tf.float32 `[N, size]`, none of them NaN or above `LARGEST` in size, as `images`."""
    value = _of(value, name, "are", (None, size), (tf.float32,))
    return _where(tf.abs(value) <= LARGEST, value, f"{name} must be numbers of at most {LARGEST:g} in size")


def one_of(value, name, size, choices, dtype=tf.float32):
    """Symbols out of a few, `[N, size]`, as `images`.

    Args:
      value: what a caller gave.
      name: `str`, of the input.
      size: `int`.
      choices: the symbols, numbers.
      dtype: their type.
    """
    value = _of(value, name, "are", (None, size), (dtype,))
    known = tf.reduce_any([tf.equal(value, tf.constant(choice, dtype)) for choice in choices], axis=0)
    listed = ", ".join(f"{choice:g}" for choice in choices[:-1])
    return _where(known, value, f"{name} must be {listed} or {choices[-1]:g}")


def count(value, name, largest):
    """One number in 0..`largest`, tf.int32 `[]`, as `images`."""
    value = _of(value, name, "is", (), (tf.int32,), "one int32")
    return _where((value >= 0) & (value <= largest), value, f"{name} must lie in 0..{largest}, got", value)


def seed(value):
    """A seed, tf.int32 `[2]`, any two numbers, as `images`."""
    value = _of(value, "seed", "is", (2,), (tf.int32,))
    # Always so. Where a system draws nothing, the check of the shape would have no other use and be left out.
    return _where(value >= tf.int32.min, value, "seed must be two numbers")


def together(*values):
    """Checked inputs, none of which is used before all of them were found right; of the same number of rows or not."""
    with tf.control_dependencies(values):
        return tuple(tf.identity(value) for value in values)


def as_many(value, name, other, of):
    """Checked `value` if it has as many rows as the checked `other`, as `images`.

    Args:
      value: `[N, ...]`.
      name: `str`, of the input.
      other: `[N, ...]`.
      of: `str`, what the input `other` is called.
    """
    rows, expected = tf.shape(value)[0], tf.shape(other)[0]
    return _where(
        tf.equal(rows, expected), value, f"{name} must have a row for each of {of}, got", rows, "of", expected
    )


def _of(value, name, verb, shape, types, expected=None):
    """The value as a tensor whose type is right now and whose shape will be when it is known."""
    value = tf.convert_to_tensor(value)
    if value.dtype not in types:
        raise ValueError(f"{name} {verb} {value.dtype.name}; expected {expected or types[0].name}")
    if not value.shape.is_compatible_with(shape):
        has = "have" if verb == "are" else "has"
        wanted = ", ".join("N" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} {has} shape {value.shape}; expected [{wanted}]")
    return tf.ensure_shape(value, shape)


def _where(condition, value, *message):
    """The value, once all of a condition was found to hold."""
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(condition), list(message), summarize=16)]):
        return tf.identity(value)
