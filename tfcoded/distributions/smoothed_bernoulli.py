"""A bit smoothed into the unit interval: the mixture of two truncated exponentials."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded.distributions._scalar import POSITIVE, InUnitInterval
from tfcoded.distributions._sigmoid import sigmoid
from tfcoded.distributions._tensors import as_parameter, broadcast_together
from tfcoded.distributions.truncated_exponential import TruncatedExponential
from tfcoded.utils.random import uniform


class SmoothedBernoulli(InUnitInterval):
    """Bernoulli variable smoothed by truncated exponentials, marginalised over the bit.

    #### Mathematical details

    A bit `m` with `P(m = 1) = q = sigmoid(logits)` is transmitted as a number in [0, 1],

    ```none
    p(z | m=1) = exp(beta (z - 1)) / Zb,   p(z | m=0) = exp(-beta z) / Zb,   Zb = (1 - exp(-beta)) / beta
    pdf(z)     = q p(z | 1) + (1 - q) p(z | 0)
    cdf(z)     = q F1(z) + (1 - q) F0(z)
    ```

    With `e = exp(-beta)`, `t = exp(-beta z)`, `s = exp(-beta (1 - z))` and `a = 1 - q = sigmoid(-logits)`,
    the equation `cdf(z) = r` is a quadratic in `t`, `a t^2 + B t - q e = 0` with `B = (r - a) + e (q - r)`,
    and

    ```none
    cdf(z)  = (1 - t) (a + q s) / (1 - e)        1 - cdf(z) = (1 - s) (q + a t) / (1 - e)
    pdf(z)  = (a t + q s) / Zb                   a t + q s  = sqrt(B^2 + 4 a q e)
    dz/dl   = q a (F0(z) - F1(z)) / pdf(z)       F0(z) - F1(z) = (1 - t) (1 - s) / (1 - e)
    dz/dr   = 1 / pdf(z)
    ```

    Samples are `quantile(rho)` with `rho` uniform in [2^-24, 1 - 2^-24]; their derivatives in `logits` and
    `rho` are the closed forms above (implicit reparameterisation), not those of the square root. To sample
    from noise of your own, call `quantile(rho)`.

    Neither `entropy` nor a KL divergence exists in closed form, and neither is provided. The divergence of
    the bits, `bernoulli_kl(logits)`, bounds that of the smoothed variables from above.

    #### Numerics

    The inverse CDF as printed in the paper (equation 5) cancels in float32: with `beta = 15` most samples are
    infinite from logit 5 on. With a small number in place of the zero they are finite, but the mean of `dz/dl`
    is then half as large again as it should be at logit 4, and more than twice as large at 6 and 8. Here
    nothing cancels and nothing is divided by a vanishing number, for any logit (tested in [-200, 200]): `q` and
    `1 - q` are separate sigmoids; `r - a` is taken as `q - (1 - r)` where `r >= 1/2`; the quadratic is scaled
    by `exp(beta / 2)`, which makes it symmetric under `l, r, z -> -l, 1 - r, 1 - z` and keeps the square from
    underflowing; the larger root is never a difference. In float32, `|cdf(quantile(r)) - r|` is about `beta`
    rounding units at most. Below `beta = 1`, where `t` is near 1, the equation is solved for `1 - t`; above 80 (in
    float64 700), where `exp(beta / 2)` would overflow, the factor stays as it is and the middle of the gap between
    the modes, where the root alone counts, is known in closed form: `z = (1 - l / beta) / 2`. Values and derivatives
    stay finite, but `dz/dl` is steep where the density is tiny: up to `exp(beta / 2) / (4 beta)` in the gap, or what
    is less, 1.8e19 in float32 and 1.3e154 in float64.

    The derivatives of mean, variance, `cdf` and `survival_function` are closed forms too: that of TensorFlow's
    sigmoid is 0 in float32 from logit 17 on.

    Only first-order derivatives of `sample` and `quantile` are right. `beta` is a constant: it receives no
    gradient.

    #### Example

    ```python
    posterior = SmoothedBernoulli(logits=[[-3.0, 0.0, 200.0]], beta=15.0)
    z = posterior.sample(seed=(1, 2))           # [1, 3], in [0, 1], differentiable in the logits
    log_q = tf.reduce_sum(posterior.log_prob(z), axis=-1)
    prior = SmoothedBernoulli(logits=0.0, beta=15.0)
    log_p = tf.reduce_sum(prior.log_prob(z), axis=-1)
    ```

    #### References

    [1] Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes,
        UAI 2025, equations 1, 4 and 5.
    [2] Rolfe, Discrete Variational Autoencoders, ICLR 2017. https://arxiv.org/abs/1609.02200
    [3] Figurnov, Mohamed, Mnih, Implicit Reparameterization Gradients, NeurIPS 2018.
        https://arxiv.org/abs/1805.08498
    """

    def __init__(self, logits, beta, validate_args=False, allow_nan_stats=True, name="SmoothedBernoulli"):
        """Initialises the distribution.

        Args:
          logits: float32 or float64 tensor of any shape, the log-odds of the bit being 1.
          beta: inverse temperature, positive and finite numbers or a tensor of such (same dtype as `logits`) whose
            shape broadcasts against that of `logits`; the larger, the closer is `z` to the bit.
          validate_args: `bool`; whether to check a tensor `beta`, and that values lie in [0, 1].
          allow_nan_stats: `bool`, as in TFP; every statistic here is defined.
          name: `str`, name of the scope.

        Raises:
          ValueError: if `logits` is neither float32 nor float64, if `beta` has another dtype, or if `beta` is
            a number that is not positive and finite.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._logits = as_parameter(logits, "logits")
            if not tf.is_tensor(beta):
                _check_beta(beta, self._logits.dtype)
                if hasattr(beta, "dtype"):  # a NumPy number: its dtype carries no intent
                    beta = np.asarray(beta, self._logits.dtype.as_numpy_dtype)
            self._beta = as_parameter(beta, "beta", self._logits.dtype)
            super().__init__(self._logits.dtype, parameters, name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"logits": tfp.util.ParameterProperties(), "beta": POSITIVE}

    @property
    def logits(self):
        """Input argument `logits`."""
        return self._logits

    @property
    def beta(self):
        """Input argument `beta`."""
        return self._beta

    def _parameter_control_dependencies(self, is_init):
        return self._assert_positive(self._beta, "beta", is_init)

    def _logits_and_beta(self):
        """Logits of the whole batch shape, and the constant beta, below 1e-14 that (both are uniform to rounding)."""
        beta = tf.maximum(tf.stop_gradient(tf.convert_to_tensor(self._beta)), 1e-14)
        logits = tf.convert_to_tensor(self._logits)
        if beta.shape.rank != 0:
            logits, _ = broadcast_together(logits, beta)
        return logits, beta

    def _sample_n(self, n, seed=None):
        logits, beta = self._logits_and_beta()
        return _quantile(*broadcast_together(logits, uniform(n, logits, seed)), beta)

    def _quantile(self, value):
        logits, beta = self._logits_and_beta()
        return _quantile(*broadcast_together(logits, value), beta)

    def _log_prob(self, value):
        logits, beta = self._logits_and_beta()
        log_prob = _log_prob(*broadcast_together(logits, value), beta)
        return tf.where((value < 0) | (value > 1), tf.cast(float("-inf"), log_prob.dtype), log_prob)

    def _cdf(self, value):
        return self._tails(value)[0]

    def _survival_function(self, value):
        return self._tails(value)[1]

    def _tails(self, value):
        logits, beta = self._logits_and_beta()
        return _tails(*broadcast_together(logits, tf.clip_by_value(value, 0, 1)), beta)

    def _mean(self):
        logits, beta = self._logits_and_beta()
        mean_of_zero = TruncatedExponential(beta).mean()
        return mean_of_zero + sigmoid(logits) * (1 - 2 * mean_of_zero)

    def _variance(self):
        logits, beta = self._logits_and_beta()
        component = TruncatedExponential(beta)
        between = sigmoid(logits) * sigmoid(-logits) * (1 - 2 * component.mean()) ** 2
        return component.variance() + between


def _check_beta(beta, dtype):
    value = np.asarray(beta, dtype=dtype.as_numpy_dtype)
    if not np.all((value > 0) & np.isfinite(value)):
        raise ValueError(f"beta must be positive and finite in {dtype.name}, got {beta}")


def _quantile(logits, rho, beta):
    """The inverse CDF at `rho` (same shape as `logits`), differentiable once in both, see the class."""
    # beta / 2 in the exponent keeps the extreme values within the square root of what exp(beta) would need.
    half_beta = tf.minimum(beta, 80 if beta.dtype == tf.float32 else 700) / 2
    grow = tf.exp(half_beta)
    contract = tf.exp(-half_beta)
    shrink = tf.exp(half_beta - beta)  # exp(-beta / 2), as `contract` is, where beta is not above the limit

    @tf.custom_gradient
    def quantile(logits, rho):
        q = tf.sigmoid(logits)
        a = tf.sigmoid(-logits)
        complement = 1 - rho
        # r - a. Of a and q, at least one is near 1 and known to 6e-8 only; the other one is exact to
        # rounding.
        excess = tf.where(rho < 0.5, rho - a, q - complement)
        linear = grow * excess + shrink * (q - rho)  # exp(beta/2) B
        qa = q * a
        root = tf.sqrt(linear * linear + 4 * qa * tf.exp(2 * half_beta - beta))  # exp(beta/2) (a t + q s)
        half = contract * 0.5 * (tf.abs(linear) + root)  # a t in the lower case, q s in the upper one
        lower = linear < 0
        near_weight = tf.where(lower, a, q)
        middle = 0.5 - tf.where(lower, logits, -logits) / 2 / beta  # the distance where B = 0, and the largest
        distance = tf.minimum(tf.math.log(half / near_weight) / -beta, middle)
        distance = tf.clip_by_value(distance, 0, 1)  # from 0 or from 1
        z = tf.where(lower, distance, 1 - distance)
        # 1 - t, of which nothing is lost where t is near 1.
        reach = -rho * tf.math.expm1(-beta)
        reach *= 2 / (1 + (q - rho) * tf.math.expm1(-beta) + contract * root)
        z = tf.where(beta < 1, tf.clip_by_value(tf.math.log1p(-reach) / -beta, 0, 1), z)

        def gradient(upstream):
            # The product of the two terms is q a exp(-beta); the small one comes from it without a
            # difference.
            other = (shrink * contract) * qa / tf.maximum(half, np.finfo(beta.dtype.as_numpy_dtype).tiny)
            a_t = tf.where(lower, half, other)
            q_s = tf.where(lower, other, half)
            normaliser = -tf.math.expm1(-beta)
            # (1 - t) and (1 - s) by way of the CDF and its complement: relative accuracy near 0 and 1.
            spread = (rho / (a + q_s)) * (complement / (q + a_t))
            scale = grow * normaliser / beta
            # In the middle of the gap the root is that of 4 q a alone, which underflows later than its square.
            least = tf.maximum(2 * tf.sqrt(qa) * tf.exp(half_beta - beta / 2), scale / beta.dtype.max**0.5)
            steep = tf.maximum(root, least)
            scaled = upstream * scale
            d_logits = scaled * normaliser * spread * (qa / steep)
            return d_logits, scaled / steep

        return z, gradient

    return quantile(logits, rho)


def _log_prob(logits, value, beta):
    """The log-density inside [0, 1]; `value` has the shape of `logits`."""

    # Written out, for two reasons: the derivative of a log-sum-exp by max and abs is wrong where both modes
    # tie, and the closed form costs less.
    @tf.custom_gradient
    def log_prob(logits, value):
        contrast = logits + beta * (2 * value - 1)  # posterior log-odds of the bit given z

        def gradient(upstream):
            responsibility = tf.sigmoid(contrast)
            d_logits = responsibility - tf.sigmoid(logits)
            d_value = beta * (2 * responsibility - 1)
            return upstream * d_logits, upstream * d_value

        one = tf.minimum(logits, 0) - beta * (1 - value)
        zero = -tf.nn.relu(logits) - beta * value
        log_mixture = tf.maximum(one, zero) + tf.math.softplus(-tf.abs(contrast))
        # In two steps, because the reciprocal of a beta near the largest number underflows.
        step = tf.minimum(beta, 1e30)
        log_normalizer = tf.math.log(-tf.math.expm1(-beta) / step) - tf.math.log(beta / step)
        return log_mixture - tf.math.softplus(-tf.abs(logits)) - log_normalizer, gradient

    return log_prob(logits, value)


def _tails(logits, value, beta):
    """The CDF at `value` in [0, 1] (same shape as `logits`), and what is above."""

    # cdf(z; l) = 1 - cdf(1 - z; -l): each tail is computed by itself, so that the upper is as accurate as the lower.
    @tf.custom_gradient
    def tails(logits, z):
        q, a = tf.sigmoid(logits), tf.sigmoid(-logits)
        t, s = tf.exp(-beta * z), tf.exp(beta * (z - 1))
        below, above = tf.math.expm1(-beta * z), tf.math.expm1(beta * (z - 1))
        minus_normaliser = tf.math.expm1(-beta)

        def gradient(upstream_cdf, upstream_survival):
            upstream = upstream_cdf - upstream_survival
            density = (a * t + q * s) * (beta / -minus_normaliser)
            return upstream * (q * a) * (below * above / minus_normaliser), upstream * density

        return ((a + q * s) * below / minus_normaliser, (q + a * t) * above / minus_normaliser), gradient

    return tails(logits, value)
