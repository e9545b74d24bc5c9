"""How many samples there are: known at once, or only when a graph runs."""

from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


def at_least(count, values, what):
    """`values` itself, `[S, ...]`, if S is at least `count`.

    Args:
      count: `int`.
      values: tensor whose first axis is that of the samples.
      what: `str`, what needs them, for the message.

    Raises:
      ValueError: if there are fewer; `InvalidArgumentError`, when it runs, where S is not static.
    """
    values = tf.convert_to_tensor(values)
    message = f"{what} needs at least {count} sample{'s' * (count > 1)}"
    if values.shape[0] is not None:
        if values.shape[0] < count:
            raise ValueError(f"{message}, got {values.shape[0]}")
        return values
    samples = tf.shape(values)[0]
    # XLA drops assertions, but knows every shape when it compiles.
    checks = [
        tf.debugging.assert_greater_equal(samples, count, message=message),
        tf.ensure_shape(tf.range(tf.minimum(samples, count)), [count], name=f"at_least_{count}_samples"),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(values)
