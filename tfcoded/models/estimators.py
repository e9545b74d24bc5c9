"""What a training step minimizes: bounds on log p(x), their values and the estimators of their gradients.

An estimator is called with a model, images and a seed and returns a `dict` of tf.float32 `[b]`:

* `loss`: its gradient, averaged over the batch, is the estimate. Its value means something only where it is a bound.
* `bound` (an attribute): the name of the entry that training maximizes.
* `elbo`, `reconstruction`, `kl` and further values in nats, to be reported.
"""

import math

import tensorflow as tf

from tfcoded import objectives
from tfcoded.distributions import SmoothedBernoulli
from tfcoded.models.posteriors import BitPosterior, WordPosterior
from tfcoded.utils import seeds

# Purposes of the seed of `LeaveOneOut`.
_WORDS, _SMOOTHING = 1, 2


class Elbo:
    """Evidence lower bound over information bits, reparameterized: `E[log p(x | z)] - sum_k KL_k` (equations 3, 18).

    It bounds log p(x) without a code only. The copies of a bit are drawn independently, so that their mean tells the
    decoder the bit's probability, more about x than the divergence of the bit charges for.

    Args:
      samples: `int`, samples of z per image, averaged.
    """

    bound = "elbo"
    posterior = BitPosterior

    def __init__(self, samples=1):
        self.samples = _at_least(1, samples)

    def get_config(self):
        """Arguments of the constructor."""
        return {"samples": self.samples}

    @classmethod
    def from_config(cls, config):
        """The estimator whose `get_config` is `config`."""
        return cls(**config)

    def __call__(self, model, images, seed):
        if self.samples == 1:
            return _with_loss(model.evidence(images, seed), self.bound)
        posterior = model.posterior(images)
        log_likelihood = model.log_likelihood(images, posterior.latents(model.beta, seed, self.samples))
        return _with_loss(model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior), self.bound)


class ImportanceWeighted:
    """The VR-IWAE bound (IWAE for `alpha = 0`), with the marginal densities of z on both sides.

    Its prior makes the D code bits independent. For an uncoded model that is the prior of the model, and one sample
    gives at least the ELBO over bits, not the same: the divergence of z's distributions is at most that of the bits.
    For a coded model it is another prior than the one that images are generated from, and the bound may lie far below
    the ELBO.

    Args:
      samples: `int`, samples of z per image, S.
      alpha: `float` in [0, 1].
      doubly_reparameterized: `bool`, the encoder's gradient by `objectives.doubly_reparameterized_scale`.

    #### References

    [1]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         appendix H.
    """

    posterior = BitPosterior

    def __init__(self, samples, alpha=0.0, doubly_reparameterized=False):
        self.samples = _at_least(1, samples)
        self.alpha = alpha
        self.doubly_reparameterized = doubly_reparameterized
        self.bound = "vr_iwae" if alpha else "iwae"

    def get_config(self):
        """Arguments of the constructor."""
        names = ("samples", "alpha", "doubly_reparameterized")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config):
        """The estimator whose `get_config` is `config`."""
        return cls(**config)

    def __call__(self, model, images, seed):
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
        bound = objectives.vr_iwae(log_weights, self.alpha)
        terms = model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior)
        terms[self.bound] = bound
        if not self.doubly_reparameterized:
            return terms | {"loss": -bound}
        scale.append(objectives.doubly_reparameterized_scale(log_weights, self.alpha)[..., tf.newaxis])
        weights = objectives.normalized_weights(log_weights, self.alpha)
        return terms | {"loss": -tf.reduce_sum(weights * log_weights, axis=0)}


class LeaveOneOut:
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

    bound = "elbo"
    posterior = WordPosterior

    def __init__(self, samples=10, exact_kl=True):
        self.samples = _at_least(2, samples)
        self.exact_kl = exact_kl

    def get_config(self):
        """Arguments of the constructor."""
        return {"samples": self.samples, "exact_kl": self.exact_kl}

    @classmethod
    def from_config(cls, config):
        """The estimator whose `get_config` is `config`."""
        return cls(**config)

    def __call__(self, model, images, seed):
        posterior = model.posterior(images)
        words = posterior.draw_numbers(self.samples, seeds.derive(seed, _WORDS))
        z = posterior.latents_of(words, model.beta, seeds.derive(seed, _SMOOTHING))
        log_likelihood = model.log_likelihood(images, z)
        log_q = tf.transpose(tf.gather(posterior.log_probabilities, tf.transpose(words), batch_dims=1))
        terms = model.bound_terms(tf.reduce_mean(log_likelihood, axis=0), posterior)
        if self.exact_kl:
            loss = -terms["elbo"] + objectives.leave_one_out(-log_likelihood, log_q)
        else:
            log_ratio = log_q + model.code.information_bits * math.log(2.0)
            kl = tf.reduce_mean(log_ratio, axis=0)
            terms |= {"kl": kl, "elbo": terms["reconstruction"] - kl}
            loss = -terms["reconstruction"] + objectives.leave_one_out(log_ratio - log_likelihood, log_q)
        return terms | {"loss": loss}


def estimator(objective):
    """The estimator that a configuration asks for.

    Args:
      objective: `tfcoded.config.Objective`.
    """
    if objective.kind == "elbo":
        return Elbo(objective.samples)
    if objective.kind == "reinforce_loo":
        return LeaveOneOut(objective.samples, objective.exact_kl)
    return ImportanceWeighted(objective.samples, objective.alpha, objective.doubly_reparameterised)


def _at_least(smallest, samples):
    if samples < smallest:
        raise ValueError(f"samples must be at least {smallest}, got {samples}")
    return samples


def _with_loss(terms, bound):
    return terms | {"loss": -terms[bound]}


def _scale_gradient(z, scale):
    """`z` itself; its gradient is multiplied by `scale[0]`, which the caller appends before it differentiates.

    The factor depends on the log-weights, which are computed from z: it does not exist yet when z is used.
    """

    @tf.custom_gradient
    def identity(z):
        return tf.identity(z), lambda upstream: upstream * scale[0]

    return identity(z)
