"""The score-function gradient of discrete samples, each with the others as its baseline."""

import math
from typing import ClassVar, Literal

from tfcoded.objectives.objective import Objective, ObjectiveSettings
from tfcoded.objectives.samples import at_least
from tfcoded.utils import seeds
from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")

# Purposes of the seed of `LeaveOneOut`.
_WORDS, _SMOOTHING = 1, 2


def leave_one_out(values, log_probabilities):
    """A surrogate whose gradient is the REINFORCE leave-one-out estimator of the gradient of E_q[f].

    ```none
    g = 1/(S - 1) sum_s (f_s - mean f) grad log q(c_s)        (equation 27)
    ```

    which is unbiased: it subtracts from each f_s the mean of the other S - 1, which does not depend on c_s. The
    explicit dependence of f on q's parameters is not in it; where f holds `log q`, its gradient has mean zero.

    Args:
      values: `[S, ...]`, f of each sample; no gradient is taken of it.
      log_probabilities: `[S, ...]`, log q of each sample, differentiable in q's parameters.

    Returns:
      `[...]`. Only its gradient means anything; its value does not.

    Raises:
      ValueError: if there are fewer than 2 samples (`InvalidArgumentError` where their number is not static).

    Example:

    ```python
    with tf.GradientTape() as tape:
        surrogate = leave_one_out(f, log_q)  # both [10, b]
    tape.gradient(surrogate, encoder.trainable_weights)
    ```

    #### References

    [1]: Kool, van Hoof, Welling. Buy 4 REINFORCE Samples, Get a Baseline for Free! ICLR 2019 workshop.
    [2]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         equations 27-29.
    """
    values = at_least(2, values, "leave-one-out, where the others are the baseline of each,")
    others = tf.cast(tf.shape(values)[0] - 1, values.dtype)
    advantage = (values - tf.reduce_mean(values, axis=0)) / others
    return tf.reduce_sum(tf.stop_gradient(advantage) * log_probabilities, axis=0)


class LeaveOneOut(Objective):
    """The ELBO over codewords: REINFORCE leave-one-out for the encoder, reparameterized for the decoder.

    Args:
      samples: `int` of at least 2, codewords drawn per image, S.
      exact_kl: `bool`: the divergence in closed form, summed over the codebook, so that only the reconstruction is
        estimated; or all of it by the drawn codewords, as in the paper (equation 28). The former has less variance far
        from the optimum; near it the latter, whose noise of log q then cancels that of log p(x | c).

    #### References

    [1]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         appendix N.
    """

    over_words = True
    smallest = 2

    def __init__(self, samples=10, exact_kl=True):
        super().__init__(samples)
        self.exact_kl = exact_kl

    def get_config(self):
        """Arguments of the constructor."""
        return super().get_config() | {"exact_kl": self.exact_kl}

    def __call__(self, model, images, seed):
        posterior = model.posterior(images)
        words = posterior.draw_numbers(self.samples, seeds.derive(seed, _WORDS))
        z = posterior.latents_of(words, model.beta, seeds.derive(seed, _SMOOTHING))
        log_likelihood = model.log_likelihood(images, z)
        log_q = tf.transpose(tf.gather(posterior.log_probabilities, tf.transpose(words), batch_dims=1))
        terms = model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior)
        if self.exact_kl:
            loss = -terms["elbo"] + leave_one_out(-log_likelihood, log_q)
        else:
            log_ratio = log_q + model.code.information_bits * math.log(2.0)
            kl = tf.reduce_mean(log_ratio, axis=0)
            terms |= {"kl": kl, "elbo": terms["reconstruction"] - kl}
            loss = -terms["reconstruction"] + leave_one_out(log_ratio - log_likelihood, log_q)
        return terms | {"loss": loss}


class LeaveOneOutSettings(ObjectiveSettings):
    """The ELBO over codewords.

    Attributes:
      exact_kl: whether the divergence is summed over the codebook, or estimated with the drawn codewords as in the
        paper.
    """

    kind: Literal["reinforce_loo"] = "reinforce_loo"
    exact_kl: bool = True

    makes: ClassVar = LeaveOneOut
    also_written: ClassVar = {"alpha": 0.0, "doubly_reparameterised": False}

    def _title(self):
        return "ELBO over codewords, REINFORCE with a leave-one-out baseline"
