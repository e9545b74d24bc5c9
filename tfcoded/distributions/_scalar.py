"""What the distributions of single numbers have in common."""

import tensorflow as tf
import tensorflow_probability as tfp


class Scalar(tfp.distributions.Distribution):
    """A distribution whose events are single real numbers."""

    def _event_shape_tensor(self):
        return tf.constant([], dtype=tf.int32)

    def _event_shape(self):
        return tf.TensorShape([])

    def _assert_positive(self, parameter, name, is_init):
        """Assertions, for `validate_args`, that a parameter is positive and finite.

        A tensor is checked when given, a variable when it is used.
        """
        if not self.validate_args or is_init == isinstance(parameter, tf.Variable):
            return []
        message = f"Argument `{name}` must be positive and finite."
        parameter = tf.convert_to_tensor(parameter)
        largest = tf.constant(parameter.dtype.max, parameter.dtype)
        return [
            tf.debugging.assert_positive(parameter, message=message),
            tf.debugging.assert_less_equal(parameter, largest, message=message),
        ]
