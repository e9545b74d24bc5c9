"""The evidence lower bound over independent bits."""

from typing import ClassVar, Literal

from tfcoded.objectives.objective import Objective, ObjectiveSettings
from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


class Elbo(Objective):
    """Evidence lower bound over information bits, reparameterized: `E[log p(x | z)] - sum_k KL_k` (equations 3, 18).

    It bounds log p(x) without a code only. The copies of a bit are drawn independently, so that their mean tells the
    decoder the bit's probability, more about x than the divergence of the bit charges for.

    Args:
      samples: `int`, samples of z per image, averaged.
    """

    def __init__(self, samples=1):
        super().__init__(samples)

    def __call__(self, model, images, seed):
        if self.samples == 1:
            return _with_loss(model.evidence(images, seed))
        posterior = model.posterior(images)
        log_likelihood = model.log_likelihood(images, posterior.latents(model.beta, seed, self.samples))
        return _with_loss(model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior))


class ElboSettings(ObjectiveSettings):
    """The evidence lower bound."""

    kind: Literal["elbo"] = "elbo"

    makes: ClassVar = Elbo
    also_written: ClassVar = {"alpha": 0.0, "doubly_reparameterised": False}

    def _title(self):
        return "ELBO"


def _with_loss(terms):
    return terms | {"loss": -terms["elbo"]}
