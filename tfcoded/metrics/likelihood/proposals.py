"""Proposal distributions for importance sampling of log p(x) under soft encoding."""

import numpy as np
import tensorflow as tf

from tfcoded.metrics.likelihood.beta_prior import log_beta
from tfcoded.utils import seeds

# Purposes of the seed of one draw.
_COMPONENT, _PROBABILITIES, _NOISE = range(3)

CONCENTRATION = 20.0  # of the Beta distributions around a posterior, in the space "pi"
EXTRA = 0.5  # added to both of their parameters, so that no density is infinite at an end


class DefensiveMixture:
    """The posterior of the image itself with weight omega, those of K training images with 1 - omega.

    Args:
      components: `[K, M]`, bit probabilities of the training images.
      omega: `float` in [0, 1]; 1 if there are no components.

    Raises:
      ValueError: if the weights of all components cannot sum to 1.
    """

    def __init__(self, components, omega):
        if not 0 <= omega <= 1 or (omega < 1 and len(components) == 0):
            raise ValueError(f"omega must be in [0, 1], and 1 without training images; got {omega}")
        self._components = np.asarray(components, np.float64)
        weights = np.array([omega, *np.full(len(components), (1.0 - omega) / max(1, len(components)))])
        with np.errstate(divide="ignore"):  # a weight of 0
            self._log_weights = np.log(weights)
        self._cumulative = np.cumsum(weights)

    def around(self, probabilities):
        """Bit probabilities of all components for an image with the given ones, `[M]` to `[K + 1, M]`."""
        return np.concatenate([np.asarray(probabilities, np.float64)[np.newaxis], self._components])

    def choose(self, samples, seed):
        """Indices into `around`, `[samples]`, each with the probability of its component."""
        uniform = tf.random.stateless_uniform(
            [samples], seeds.derive(seed, _COMPONENT), dtype=tf.float64, alg="philox"
        ).numpy()
        chosen = np.searchsorted(self._cumulative, uniform, side="right")
        return np.minimum(chosen, len(self._components))  # the weights may sum to a little less than 1

    def log_prob(self, log_densities):
        """Log-density of the mixture from those of its components, `[K + 1, S]` to `[S]`."""
        return np.logaddexp.reduce(log_densities + self._log_weights[:, np.newaxis], axis=0)


class _Proposal:
    """What a proposal is made of.

    Args:
      encoding: `tfcoded.metrics.likelihood.soft_encoding.SoftEncoding`.
      mixture: `DefensiveMixture`.
    """

    def __init__(self, encoding, mixture):
        self._encoding = encoding
        self._mixture = mixture


class SmoothedProposal(_Proposal):
    """Proposes z itself: a component's softly encoded posterior (space "z").

    ```none
    r(z | x) = omega Q(z; q(x)) + (1 - omega) / K sum_i Q(z; q(x_i)),     ratio = p(z) / r(z | x)
    ```
    """

    def draw(self, probabilities, samples, seed):
        """Samples of z, and their prior density relative to the proposal's.

        Args:
          probabilities: `[M]`, bit probabilities of the image, inside (0, 1).
          samples: `int`, S.
          seed: `[2]`, tf.int32.

        Returns:
          `(z, log_ratio)`, `np.float32` `[S, D]` and `np.float64` `[S]`.
        """
        around = self._mixture.around(probabilities)
        chosen = around[self._mixture.choose(samples, seed)]
        z = self._encoding.sample(np.log(chosen) - np.log1p(-chosen), seeds.derive(seed, _NOISE))
        log_prior, log_components = self._encoding.log_densities(z, around)
        return z, log_prior - self._mixture.log_prob(log_components)


class ProbabilityProposal(_Proposal):
    """Proposes the bit probabilities, near a component's; z is then drawn from the model (space "pi").

    ```none
    r(pi | x) = omega B(pi; q(x)) + (1 - omega) / K sum_i B(pi; q(x_i)),     ratio = p(pi) / r(pi | x)
    B(pi; q)  = prod_k Beta(pi_k; kappa q_k + e, kappa (1 - q_k) + e),       kappa = 20, e = 0.5
    ```

    Closer to the words of appendix L, with the same expectation and fewer effective samples. Where the prior
    is wider than the mixture the weights have a heavy tail: few large ones carry the mean, most estimates lie
    below it, and the effective sample size does not tell.
    """

    def draw(self, probabilities, samples, seed):
        """As `SmoothedProposal.draw`, but that the ratio is one of densities of bit probabilities."""
        q = self._mixture.around(probabilities)
        a, b = CONCENTRATION * q + EXTRA, CONCENTRATION * (1.0 - q) + EXTRA
        chosen = self._mixture.choose(samples, seed)
        # pi = g / (g + h) with independent gamma variables, in logarithms: pi may round to 1.
        shape = np.stack([a[chosen], b[chosen]])
        noise = seeds.derive(seed, _PROBABILITIES)
        g, h = np.log(tf.random.stateless_gamma(shape.shape, noise, shape, dtype=tf.float64).numpy())
        total = np.logaddexp(g, h)
        z = self._encoding.sample(g - h, seeds.derive(seed, _NOISE))
        log_proposal = self._mixture.log_prob(_log_prob(g - total, h - total, a, b))
        return z, _log_prob(g - total, h - total, *self._encoding.prior)[0] - log_proposal


def _log_prob(log_pi, log_not_pi, a, b):
    """Log-density of independent Beta variables, `pi : [S, M]`, `a, b : [C, M]` or `[M]`, to `[C, S]`."""
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    return (a - 1.0) @ log_pi.T + (b - 1.0) @ log_not_pi.T - log_beta(a, b).sum(axis=1, keepdims=True)
