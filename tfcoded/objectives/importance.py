"""Importance-weighted bounds, from log-weights."""

from typing import ClassVar, Literal

from tfcoded.objectives.objective import Objective, ObjectiveSettings
from tfcoded.objectives.samples import at_least
from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


def vr_iwae(log_weights, alpha=0.0):
    """The VR-IWAE bound; the IWAE bound for `alpha = 0`.

    ```none
    L = 1 / (1 - alpha)  log( 1/S sum_i w_i^(1 - alpha) ),     w_i = p(x | z_i) p(z_i) / q(z_i | x),  z_i ~ q
    ```

    It decreases in alpha, increases with S, and never exceeds log p(x) in expectation; `alpha = 1` is its limit, the
    mean of the log-weights, an evidence lower bound. Differentiated as it stands it gives the reparameterized gradient,
    in which sample i counts with its normalized weight (`normalized_weights`).

    With M the largest log-weight and d_i = log w_i - M it is `M + log1p(mean expm1((1 - alpha) d_i)) / (1 - alpha)`
    where that mean is above -1/2: as alpha goes to 1 nothing is lost to rounding. A sample of weight 0 is allowed.

    This is the bound itself. The sum of normalized weights times log-weights, which has the same gradient with respect
    to the weights held fixed, exceeds it by a Kullback-Leibler divergence and bounds nothing.

    Args:
      log_weights: `[S, ...]`, floating, in nats, S at least 1.
      alpha: `float` in [0, 1].

    Returns:
      `[...]`, same dtype, in nats.

    Raises:
      ValueError: if `alpha` is outside [0, 1], or there is no sample (`InvalidArgumentError` where S is not static).

    Example:

    ```python
    vr_iwae(tf.math.log([[1.0], [3.0]]))             # log 2
    vr_iwae(tf.math.log([[1.0], [3.0]]), alpha=1.0)  # (log 3) / 2
    ```

    #### References

    [1]: Burda, Grosse, Salakhutdinov. Importance Weighted Autoencoders. ICLR 2016.
    [2]: Daudel, Benton, Shi, Doucet. Alpha-divergence Variational Inference Meets Importance Weighted Auto-Encoders.
         JMLR 2023.
    """
    _check(alpha)
    log_weights = at_least(1, log_weights, "the VR-IWAE bound")
    if alpha == 1.0:
        return tf.reduce_mean(log_weights, axis=0)
    return _power_mean(log_weights, 1.0 - alpha)


def _power_mean(log_weights, power):
    """`log(mean_i w_i^power) / power` over the first axis, for a power in (0, 1]."""

    # Written out: of two branches with infinite slopes autodiff makes NaN, also where the other one is taken.
    @tf.custom_gradient
    def power_mean(log_weights):
        samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
        top, distances = _centred(log_weights)
        distances *= power
        weights = tf.exp(distances)
        total = tf.reduce_sum(weights, axis=0)

        def gradient(upstream):
            return upstream * tf.math.reciprocal(total) * weights

        shortfall = tf.reduce_mean(tf.math.expm1(distances), axis=0)
        close = top + tf.math.log1p(shortfall) / power
        apart = (tf.math.log(total) + power * top - tf.math.log(samples)) / power
        return tf.where(shortfall > -0.5, close, apart), gradient

    return power_mean(log_weights)


def _centred(log_weights):
    """The largest of the log-weights over the first axis, 0 where it is infinite, and all of them minus it."""
    largest = tf.reduce_max(log_weights, axis=0)
    largest = tf.where(tf.math.is_finite(largest), largest, tf.zeros_like(largest))
    return largest, log_weights - largest


def normalized_weights(log_weights, alpha=0.0):
    """`W_i = w_i^(1 - alpha) / sum_j w_j^(1 - alpha)`, `[S, ...]`, without a gradient.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Raises:
      ValueError: if `alpha` is outside [0, 1].
    """
    _check(alpha)
    return tf.stop_gradient(tf.nn.softmax((1.0 - alpha) * _centred(log_weights)[1], axis=0))


def doubly_reparameterized_scale(log_weights, alpha=0.0):
    """By how much the gradient through z_i counts, relative to W_i, when the score of q is reparameterized once more.

    The gradient with respect to the encoder is `sum_i (alpha W_i + (1 - alpha) W_i^2) [d log w / dz](z_i) dz_i / d eta`,
    with q's parameters held fixed inside `log w`; this function gives `alpha + (1 - alpha) W_i`.

    Args:
      log_weights: `[S, ...]`, floating, in nats.
      alpha: `float` in [0, 1].

    Returns:
      `[S, ...]`, without a gradient. `alpha = 0` is the IWAE-DReG estimator, `alpha = 1` "sticking the landing".

    Raises:
      ValueError: if `alpha` is outside [0, 1].

    #### References

    [1]: Tucker, Lawson, Gu, Maddison. Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives. ICLR 2019.
    [2]: Daudel, Benton, Shi, Doucet. Alpha-divergence Variational Inference Meets Importance Weighted Auto-Encoders.
         JMLR 2023.
    """
    return alpha + (1.0 - alpha) * normalized_weights(log_weights, alpha)


class ImportanceWeighted(Objective):
    """The VR-IWAE bound (IWAE for `alpha = 0`), with the marginal densities of z on both sides.

    Its prior makes the D code bits independent. For an uncoded model that is the prior of the model, and one sample
    gives at least the ELBO over bits, not the same: the divergence of z's distributions is at most that of the bits.
    For a coded model it is another prior than the one that images are generated from, and the bound may lie far below
    the ELBO.

    Args:
      samples: `int`, samples of z per image, S.
      alpha: `float` in [0, 1].
      doubly_reparameterized: `bool`, the encoder's gradient by `doubly_reparameterized_scale`.

    #### References

    [1]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         appendix H.
    """

    def __init__(self, samples, alpha=0.0, doubly_reparameterized=False):
        super().__init__(samples)
        self.alpha = alpha
        self.doubly_reparameterized = doubly_reparameterized
        self.bound = "vr_iwae" if alpha else "iwae"

    def get_config(self):
        """Arguments of the constructor."""
        return super().get_config() | {"alpha": self.alpha, "doubly_reparameterized": self.doubly_reparameterized}

    def __call__(self, model, images, seed):
        from tfcoded.distributions import SmoothedBernoulli  # imports TensorFlow Probability

        posterior = model.posterior(images)
        logits = model.code.soft_encode(posterior.logits)
        z = SmoothedBernoulli(logits, model.beta).sample(self.samples, seed=seed)
        scale = []
        if self.doubly_reparameterized:
            logits = tf.stop_gradient(logits)  # for log q alone: z above keeps its gradient
            z = _scale_gradient(z, scale)
        log_likelihood = model.log_likelihood(images, z)
        prior = SmoothedBernoulli(tf.zeros([], z.dtype), model.beta)
        log_ratio = prior.log_prob(z) - SmoothedBernoulli(logits, model.beta).log_prob(z)
        log_weights = log_likelihood + tf.reduce_sum(log_ratio, axis=-1)
        bound = vr_iwae(log_weights, self.alpha)
        terms = model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior)
        terms[self.bound] = bound
        if not self.doubly_reparameterized:
            return terms | {"loss": -bound}
        scale.append(doubly_reparameterized_scale(log_weights, self.alpha)[..., tf.newaxis])
        weights = normalized_weights(log_weights, self.alpha)
        return terms | {"loss": -tf.reduce_sum(weights * log_weights, axis=0)}


class ImportanceSettings(ObjectiveSettings):
    """What the importance-weighted bounds have in common.

    Attributes:
      doubly_reparameterised: whether the encoder's gradient is the doubly reparameterized one.
    """

    doubly_reparameterised: bool = False

    makes: ClassVar = ImportanceWeighted
    also_written: ClassVar = {"alpha": 0.0}

    def build(self):
        """See `ObjectiveSettings.build`."""
        return self.makes(self.samples, getattr(self, "alpha", 0.0), self.doubly_reparameterised)

    @property
    def description(self):
        """See `ObjectiveSettings.description`."""
        return super().description + ", doubly reparameterized" * self.doubly_reparameterised


class IwaeSettings(ImportanceSettings):
    """The IWAE bound."""

    kind: Literal["iwae"] = "iwae"

    def _title(self):
        return "IWAE"


class VrIwaeSettings(ImportanceSettings):
    """The VR-IWAE bound.

    Attributes:
      alpha: its order, in [0, 1]; 0 is the IWAE, 1 the ELBO.
    """

    kind: Literal["vriwae"] = "vriwae"
    alpha: float = 0.0

    def _title(self):
        return f"VR-IWAE of order {self.alpha:g}"

    def _check(self):
        super()._check()
        self._require(0 <= self.alpha <= 1, "alpha", "a number in [0, 1]")


def _scale_gradient(z, scale):
    """`z` itself; its gradient is multiplied by `scale[0]`, which the caller appends before it differentiates.

    The factor depends on the log-weights, which are computed from z: it does not exist yet when z is used.
    """

    @tf.custom_gradient
    def identity(z):
        return tf.identity(z), lambda upstream: upstream * scale[0]

    return identity(z)


def _check(alpha):
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must be a number in [0, 1], got {alpha!r}")
