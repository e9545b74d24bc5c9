"""What the distributions of single numbers have in common."""

import tensorflow as tf
import tensorflow_probability as tfp

# Of a parameter that must be positive.
POSITIVE = tfp.util.ParameterProperties(default_constraining_bijector_fn=lambda: tfp.bijectors.Softplus(low=1e-3))


class Scalar(tfp.distributions.Distribution):
    """A distribution whose events are single real numbers, and whose samples have derivatives in its parameters.

    Args:
      dtype: tf.float32 or tf.float64.
      parameters: `dict` of the arguments that the subclass was made with, `validate_args` and `allow_nan_stats` too.
      name: `str`, the scope.
    """

    def __init__(self, dtype, parameters, name):
        super().__init__(
            dtype=dtype,
            reparameterization_type=tfp.distributions.FULLY_REPARAMETERIZED,
            validate_args=parameters["validate_args"],
            allow_nan_stats=parameters["allow_nan_stats"],
            parameters=parameters,
            name=name,
        )

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


class InUnitInterval(Scalar):
    """A `Scalar` between 0 and 1, both included."""

    def _default_event_space_bijector(self):
        return tfp.bijectors.Sigmoid(validate_args=self.validate_args)

    def _sample_control_dependencies(self, value):
        """Assertions, for `validate_args`, that `value` lies in [0, 1]."""
        if not self.validate_args:
            return []
        message = "Sample must lie in the interval [0, 1]."
        return [
            tf.debugging.assert_greater_equal(value, tf.zeros([], value.dtype), message=message),
            tf.debugging.assert_less_equal(value, tf.ones([], value.dtype), message=message),
        ]
