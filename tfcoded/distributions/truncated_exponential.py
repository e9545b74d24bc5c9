"""The exponential distribution truncated to the unit interval."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions._scalar import InUnitInterval
from tfcoded.distributions._tensors import as_parameter, broadcast_together
from tfcoded.utils.random import uniform

# 1/a - 1/expm1(a) = 1/2 - sum_k _BERNOULLI[k] a^(2k+1), that is B_2n / (2n)! for n = 1, 2, ...
_BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
)
# log(sinh(a/2) / (a/2)) = sum_k _LOG_SINHC[k] a^(2k+2)
_LOG_SINHC = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800)


class TruncatedExponential(InUnitInterval):
    """Exponential distribution truncated to [0, 1], with a rate of either sign.

    #### Mathematical details

    ```none
    pdf(z; a)      = exp(-a z) / Z(a),  0 <= z <= 1,     Z(a) = (1 - exp(-a)) / a
    cdf(z; a)      = (1 - exp(-a z)) / (1 - exp(-a))
    quantile(r; a) = -log(1 - r (1 - exp(-a))) / a
    mean(a)        = 1/a - 1/(exp(a) - 1)
    variance(a)    = 1/a^2 - 1/(4 sinh(a/2)^2)
    entropy(a)     = a mean(a) + log Z(a)
    ```

    A positive rate puts the mass near 0, a negative one near 1 (`z -> 1 - z` changes the sign of the rate),
    and rate 0 is the uniform distribution. In the discrete VAE it smooths a bit: `z | m` has rate `beta (1 -
    2 m)`.

    Samples are `quantile(rho)` with uniform `rho`, differentiable in the rate:
    `dz/da = (cdf(z; -a) - z) / a`, and `dz/drho = 1 / pdf(z)`.

    #### Numerics

    Everything is finite in float32 for rates in [-200, 200], and smooth through rate 0, where the formulae
    above are 0/0 and series replace them. Negative rates are computed by reflection, because `exp(-a z)`
    would overflow. Samples have a first-order derivative only.

    #### Example

    ```python
    bits = tf.constant([0.0, 1.0])
    z = TruncatedExponential(rate=15.0 * (1.0 - 2.0 * bits))
    z.mean()                    # [0.0667, 0.9333]
    z.sample(3, seed=(1, 2))    # [3, 2]
    ```

    #### References

    Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes, UAI
    2025, equations 1, 24 and 25.
    """

    def __init__(self, rate, validate_args=False, allow_nan_stats=True, name="TruncatedExponential"):
        """Initialises the distribution.

        Args:
          rate: float32 or float64 tensor of any shape (the batch shape), of either sign, zero included.
          validate_args: `bool`; whether to check that values lie in [0, 1] when a density is asked for.
          allow_nan_stats: `bool`, as in TFP; every statistic here is defined.
          name: `str`, name of the scope.

        Raises:
          ValueError: if `rate` is neither float32 nor float64.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._rate = as_parameter(rate, "rate")
            super().__init__(self._rate.dtype, parameters, name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"rate": tfp.util.ParameterProperties()}

    @property
    def rate(self):
        """Input argument `rate`."""
        return self._rate

    def _sample_n(self, n, seed=None):
        rate = tf.convert_to_tensor(self._rate)
        return _quantile(*broadcast_together(rate, uniform(n, rate, seed)))

    def _log_prob(self, value):
        rate = tf.convert_to_tensor(self._rate)
        size = tf.abs(rate)
        distance = tf.where(rate < 0, 1 - value, value)
        # The even series keeps the derivative in the rate right at 0, where that of |rate| is not.
        small, near, far = _split(rate, 0.2)
        series = -near * (value - 0.5) - _log_sinhc_series(near)
        log_prob = tf.where(small, series, -size * distance - _log_normalizer_far(far))
        return tf.where((value < 0) | (value > 1), tf.cast(float("-inf"), log_prob.dtype), log_prob)

    def _cdf(self, value):
        rate = tf.convert_to_tensor(self._rate)
        return _cdf(*broadcast_together(rate, tf.clip_by_value(value, 0, 1)))

    def _quantile(self, value):
        return _quantile(*broadcast_together(tf.convert_to_tensor(self._rate), value))

    def _mean(self):
        return _mean(tf.convert_to_tensor(self._rate))

    def _variance(self):
        rate = tf.convert_to_tensor(self._rate)
        small, near, far = _split(rate, 1.0)
        series = _polynomial(near**2, [(2 * k + 1) * c for k, c in enumerate(_BERNOULLI)])
        exact = 1 / far**2 - tf.exp(-far) / tf.math.expm1(-far) ** 2
        return tf.where(small, series, exact)

    def _entropy(self):
        # Even in the rate; with |rate| both terms stay small and neither overflows.
        size = tf.abs(tf.convert_to_tensor(self._rate))
        small, near, far = _split(size, 0.2)
        log_normalizer = tf.where(small, _log_sinhc_series(near) - near / 2, _log_normalizer_far(far))
        return size * _mean(size) + log_normalizer


def _split(rate, cut):
    """The mask |rate| < cut, the rate where it holds, and |rate| where not (safe values elsewhere)."""
    size = tf.abs(rate)
    small = size < cut
    return small, tf.where(small, rate, tf.zeros_like(rate)), tf.where(small, tf.ones_like(rate), size)


def _polynomial(x, coefficients):
    result = tf.zeros_like(x)
    for coefficient in reversed(coefficients):
        result = result * x + coefficient
    return result


def _log_sinhc_series(rate):
    """log(sinh(a/2) / (a/2)), for |a| < 0.2; log Z(a) is this minus a/2."""
    square = rate**2
    return square * _polynomial(square, _LOG_SINHC)


def _log_normalizer_far(size):
    """log Z(a) for a positive a away from 0."""
    return tf.math.log(-tf.math.expm1(-size)) - tf.math.log(size)


def _mean(rate):
    small, near, far = _split(rate, 1.0)
    series = 0.5 - near * _polynomial(near**2, _BERNOULLI)
    exact = 1 / far + tf.exp(-far) / tf.math.expm1(-far)
    return tf.where(small, series, tf.where(rate < 0, 1 - exact, exact))


def _cdf_of_size(size, y):
    """(cdf(y; b), cdf(y; -b)) for a rate b >= 0, both with a small relative error."""
    # The ratios are exact to rounding however small b is, only not at 0/0.
    b = tf.maximum(size, 1e-14)
    below = tf.math.expm1(-b * y) / tf.math.expm1(-b)
    return below, below * tf.exp(b * (y - 1))


def _skew(size, y):
    """(cdf(y; -b) - y) / b: the derivative of a sample y in its rate b >= 0."""
    # The quotient loses digits as eps / b, the series (Bernoulli polynomials) as b^5.
    cut = 0.5 if size.dtype == tf.float32 else 0.01
    small, near, far = _split(size, cut)
    w = y * (y - 1)
    series = _polynomial(
        near,
        [
            w / 2,
            w * (2 * y - 1) / 12,
            w**2 / 24,
            w * (2 * y - 1) * (3 * w - 1) / 720,
            w**2 * (2 * w - 1) / 1440,
        ],
    )
    return tf.where(small, series, (_cdf_of_size(far, y)[1] - y) / far)


def _normalized_exponential(size, exponent):
    """exp(exponent) * b / (1 - exp(-b)) for b >= 0."""
    b = tf.maximum(size, 1e-14)
    return tf.exp(exponent) * b / -tf.math.expm1(-b)


@tf.custom_gradient
def _cdf(rate, value):
    size = tf.abs(rate)
    positive = rate >= 0
    y = tf.where(positive, value, 1 - value)

    def gradient(upstream):
        density = _normalized_exponential(size, -size * y)
        return -upstream * density * _skew(size, y), upstream * density

    return tf.where(positive, *_cdf_of_size(size, value)), gradient


@tf.custom_gradient
def _quantile(rate, value):
    size = tf.abs(rate)
    positive = rate >= 0
    # Both r and 1 - r of the reflected problem are at hand without cancellation.
    r = tf.where(positive, value, 1 - value)
    complement = tf.where(positive, 1 - value, value)
    b = tf.maximum(size, 1e-14)
    reached = r * tf.math.expm1(-b)
    remaining = complement + r * tf.exp(-b)  # exp(-b y)
    log_remaining = tf.where(reached > -0.5, tf.math.log1p(reached), tf.math.log(remaining))
    y = tf.clip_by_value(-log_remaining / b, 0, 1)

    def gradient(upstream):
        inverse_density = -tf.math.expm1(-b) / (b * remaining)
        return upstream * _skew(size, y), upstream * inverse_density

    return tf.where(positive, y, 1 - y), gradient
