"""A relaxed bit, kept as a logit: the binary concrete distribution before its sigmoid."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions._scalar import POSITIVE, Scalar
from tfcoded.distributions._sigmoid import sigmoid
from tfcoded.distributions._tensors import as_parameter, broadcast_together
from tfcoded.utils.random import uniform


class BinaryConcreteLogit(Scalar):
    """Logit `Y` of a relaxed Bernoulli variable `X = sigmoid(Y)` (binary concrete, Gumbel-softmax of a bit).

    #### Mathematical details

    With the log-odds `l` of the bit and a temperature `T > 0`, `Y = (l + log(u / (1 - u))) / T` for a uniform
    `u`: a logistic distribution of location `l / T` and scale `1 / T`,

    ```none
    log pdf(y) = log T - softplus(T y - l) - softplus(l - T y)
    cdf(y)     = sigmoid(T y - l)                     P(X > 1/2) = P(Y > 0) = sigmoid(l), for every T
    mean       = mode = l / T                         variance   = pi^2 / (3 T^2)
    entropy    = 2 - log T
    ```

    The density of the relaxed bit itself is `T a x^(-T-1) (1-x)^(-T-1) / (a x^-T + (1-x)^-T)^2` with the odds
    `a = exp(l)`. (Equation 19 of [2] has a minus sign in the denominator, which makes it singular, and the
    text calls `a` a probability.)

    As `T` goes to 0, `X` becomes the bit. Customary temperatures are 0.2 for a posterior and 0.1 for a prior.

    #### Numerics

    The relaxed bit is nowhere to be seen on purpose: at a low temperature most samples of it are exactly 0 or
    1 in float32, where its density is infinite. Carry the logit into every density. A divergence of two
    relaxed bits is the mean of `q.log_prob(y) - p.log_prob(y)` over samples `y` of `q`: the Jacobian of the
    sigmoid cancels. Neither it nor anything here is ever clipped.

    The two terms of the log-density have one sign, so it has a small relative error for every `y`; its
    derivative in `y` is `-T tanh((T y - l) / 2)`, bounded by `T`.

    #### Example

    ```python
    posterior = BinaryConcreteLogit(logits=[-3.0, 0.0, 3.0], temperature=0.2)
    y = posterior.sample(seed=(1, 2))       # differentiable in the logits and the temperature
    prior = BinaryConcreteLogit(logits=0.0, temperature=0.1)
    kl = tf.reduce_sum(posterior.log_prob(y) - prior.log_prob(y))   # one sample of it, in nats
    x = tf.sigmoid(y)                       # what the next layer is given
    ```

    #### References

    [1] Maddison, Mnih, Teh, The Concrete Distribution, ICLR 2017. https://arxiv.org/abs/1611.00712
    [2] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, appendix,
        equations 18 to 20. https://arxiv.org/abs/2003.13367
    """

    def __init__(self, logits, temperature, validate_args=False, allow_nan_stats=True, name="BinaryConcreteLogit"):
        """Initialises the distribution.

        Args:
          logits: float32 or float64 tensor of any shape, the log-odds of the bit being 1.
          temperature: positive number or tensor of the dtype of `logits` that broadcasts against it.
          validate_args: `bool`; whether to check a tensor `temperature` too.
          allow_nan_stats: `bool`, as in TFP; every statistic here is defined.
          name: `str`, name of the scope.

        Raises:
          ValueError: if `logits` is neither float32 nor float64, `temperature` has another dtype, or it is a
            number that is not positive and finite.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._logits = as_parameter(logits, "logits")
            if not tf.is_tensor(temperature):
                value = np.asarray(temperature, self._logits.dtype.as_numpy_dtype)
                if not np.all((value > 0) & np.isfinite(value)):
                    raise ValueError(f"temperature must be positive and finite, got {temperature}")
                temperature = value
            self._temperature = as_parameter(temperature, "temperature", self._logits.dtype)
            super().__init__(self._logits.dtype, parameters, name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"logits": tfp.util.ParameterProperties(), "temperature": POSITIVE}

    @property
    def logits(self):
        """Input argument `logits`."""
        return self._logits

    @property
    def temperature(self):
        """Input argument `temperature`."""
        return self._temperature

    def _default_event_space_bijector(self):
        return tfp.bijectors.Identity(validate_args=self.validate_args)

    def _parameter_control_dependencies(self, is_init):
        return self._assert_positive(self._temperature, "temperature", is_init)

    def _standardize(self, value):
        return tf.convert_to_tensor(self._temperature) * value - self._logits

    def _whole_batch(self):
        return broadcast_together(tf.convert_to_tensor(self._logits), tf.convert_to_tensor(self._temperature))

    def _sample_n(self, n, seed=None):
        logits, temperature = self._whole_batch()
        return (logits + _logit(uniform(n, logits, seed))) / temperature

    def _quantile(self, value):
        return (self._logits + _logit(value)) / self._temperature

    def _log_prob(self, value):
        c = self._standardize(value)
        return tf.math.log(self._temperature) - tf.math.softplus(c) - tf.math.softplus(-c)

    def _cdf(self, value):
        return sigmoid(self._standardize(value))

    def _log_cdf(self, value):
        return -tf.math.softplus(-self._standardize(value))

    def _survival_function(self, value):
        return sigmoid(-self._standardize(value))

    def _log_survival_function(self, value):
        return -tf.math.softplus(self._standardize(value))

    def _mean(self):
        return self._logits / self._temperature

    def _mode(self):
        return self._mean()

    def _variance(self):
        return (math.pi**2 / 3) / self._whole_batch()[1] ** 2

    def _entropy(self):
        return 2 - tf.math.log(self._whole_batch()[1])


def _logit(probability):
    return tf.math.log(probability) - tf.math.log1p(-probability)
