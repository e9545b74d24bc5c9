"""The discrete variational autoencoder whose latent bits are protected by an error-correcting code."""

import keras
import tensorflow as tf

from tfcoded import codes, objectives
from tfcoded.config import ConfigError
from tfcoded.models import posteriors
from tfcoded.models.probability_clip import clip_probability
from tfcoded.models.recompute import in_parts
from tfcoded.models.stochastic_model import StochasticModel
from tfcoded.networks import Decoder, Encoder
from tfcoded.utils import seeds


def _parts():
    """Classes of all codes and objectives, which a saved model names; by themselves they know nothing of Keras."""
    kinds = (*codes.CodeSettings.kinds.values(), *objectives.ObjectiveSettings.kinds.values())
    return dict.fromkeys(settings.makes for settings in kinds)


for _part in _parts():
    if _part.__module__.startswith("tfcoded."):  # `from_config` finds those of others
        keras.saving.register_keras_serializable("tfcoded")(_part)


@keras.saving.register_keras_serializable("tfcoded")
class CodedDVAE(StochasticModel):
    """Coded-DVAE: encoder, soft decoding, soft encoding, smoothing, decoder.

    ```none
    x -> encoder -> q^u(c|x) -> soft decoding -> q(m|x) -> soft encoding -> q(c|x) -> smoothing -> z -> decoder -> x
         D logits               M logits                   D logits                   D in [0, 1]
    ```

    With `codes.Uncoded` it is the uncoded DVAE (Algorithm 1 of the paper), otherwise the Coded-DVAE (Algorithm 2). With
    `objectives.LeaveOneOut` the posterior is one categorical over all codewords instead (Algorithm 3), for any code,
    random ones included. Densities are float32 whatever the networks' dtype policy.

    Args:
      code: a `tfcoded.codes.Code` with M information bits and D code bits.
      image_shape: `(height, width, channels)`: 28x28x1, 32x32x3 or 64x64x3.
      likelihood: `"bernoulli"` or `"gaussian"`.
      beta: `float`, inverse temperature of the smoothing.
      encoder_width: `int`, hidden units of the encoder (h').
      decoder_width: `int`, hidden units of the decoder (h).
      seed: `int`, of the initial weights and of all noise.
      objective: what training maximizes and how, a `tfcoded.objectives.Objective`; by default the ELBO from one sample.
      samples_at_once: `int`, with several samples per image: how many of them the decoder's activations are kept for.
        Fewer need less memory and give the same gradient, for a third more work.

    Raises:
      ValueError: if no networks exist for the image shape, the likelihood is unknown, or the objective works on
        independent bits and those of the code are not.

    Example:

    ```python
    model = CodedDVAE(codes.Repetition(8, 80), image_shape=(28, 28, 1))
    model.compile(optimizer=AdamL2(1e-4))
    model.fit(images_uint8, batch_size=128, epochs=1)  # [N, 28, 28, 1]
    model.save("model.keras")  # with the optimizer's state; keras.saving.load_model gives the model back
    logits = model.information_logits(images_uint8[:5])  # [5, 8]
    ```

    #### References

    [1]: Martinez-Garcia, Villacres, Mitchell, Olmos. Improved Variational Inference in Discrete VAEs using Error
         Correcting Codes. UAI 2025.
    """

    def __init__(
        self,
        code,
        image_shape,
        likelihood="bernoulli",
        beta=15.0,
        encoder_width=512,
        decoder_width=1024,
        seed=0,
        objective=None,
        samples_at_once=10,
        name="coded_dvae",
    ):
        super().__init__(seed=seed, name=name)
        self.objective = objective or objectives.Elbo()
        if not code.independent_bits and not self.objective.over_words:
            raise ValueError(
                f"the bits of {code!r} depend on each other; pass objective=LeaveOneOut(), which works on codewords"
            )
        self.code = code
        self.image_shape = tuple(image_shape)
        self.likelihood = objectives.likelihood(likelihood)
        self._likelihood = likelihood
        self.beta = float(beta)
        self.samples_at_once = samples_at_once
        self.encoder_width = encoder_width
        self.decoder_width = decoder_width
        self.encoder = Encoder(image_shape, code.code_bits, encoder_width, seed)
        self.decoder = Decoder(image_shape, code.code_bits, decoder_width, seed)
        self._finish()

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        try:
            code = config.code.build()
        except ValueError as error:  # all else about a code is checked by the configuration
            raise ConfigError(f"{config.name}: {error}") from error
        return cls(
            code,
            config.network.image_shape,
            config.likelihood,
            config.beta,
            config.network.encoder_width,
            config.network.decoder_width,
            seed,
            config.objective.build(),
            config.training.samples_at_once,
        )

    @classmethod
    def from_config(cls, config):
        """See `StochasticModel.from_config`."""
        with keras.saving.custom_object_scope({part.__name__: part for part in _parts()}):
            return super().from_config(config)

    @property
    def item_shape(self):
        """`image_shape`: what `fit` takes items of."""
        return self.image_shape

    def arguments(self):
        """See `StochasticModel.arguments`."""
        own = ("code", "image_shape", "beta", "encoder_width", "decoder_width", "objective", "samples_at_once")
        return super().arguments() | {name: getattr(self, name) for name in own} | {"likelihood": self._likelihood}

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        self.encoder.build((None, *self.image_shape))
        self.decoder.build((None, self.code.code_bits))
        self.built = True

    def code_logits(self, images):
        """The encoder's claims on every code bit, clipped: logits `[b, D]`, tf.float32.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
        """
        pixels = self.likelihood.scale(self.to_unit_range(images))
        return clip_probability(tf.cast(self.encoder(pixels), tf.float32))

    def posterior(self, images):
        """The posterior over information bits: the encoder's claims, softly decoded.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].

        Returns:
          `BitPosterior`, or `WordPosterior` if the objective works on codewords.
        """
        return posteriors.posterior_of(self.objective)(self.code, self.code_logits(images))

    def information_logits(self, images):
        """Posterior logits of the information bits.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].

        Returns:
          `[b, M]`, tf.float32; q(m_k = 1 | x) is their sigmoid (equation 11; 14-15 with branches).
        """
        return self.posterior(images).logits

    def sample(self, images, seed):
        """One sample of the smoothed code bits from the posterior of each image (equation 5).

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.

        Returns:
          z `[b, D]`, tf.float32 in [0, 1].
        """
        return self.posterior(images).latents(self.beta, seed)

    def modulate(self, bits, seed):
        """Smoothed code bits of given information bits: hard encoding, then p(z | c) (equation 8).

        Args:
          bits: `[..., M]`, 0 or 1, any integer or floating dtype.
          seed: `int32 [2]`.

        Returns:
          z `[..., D]`, tf.float32 in [0, 1].
        """
        return posteriors.modulate(self.code, bits, self.beta, seed)

    def outputs(self, z):
        """The decoder's output, `z : [b, D]` to `[b, h, w, c]`, tf.float32: parameters of the likelihood."""
        return tf.cast(self.decoder(z), tf.float32)

    def decode(self, z):
        """The decoder's mean image in [0, 1], `z : [b, D]` to `[b, h, w, c]`, tf.float32."""
        return self.likelihood.mean(self.outputs(z))

    def log_likelihood(self, images, z):
        """log p(x | z) in nats.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          z: `[b, D]`, or `[S, b, D]` for S samples of each image.

        Returns:
          `[b]` or `[S, b]`, tf.float32, differentiable in z and the decoder's weights.
        """
        target = self.likelihood.scale(self.to_unit_range(images))
        if z.shape.rank == 2:
            return self.likelihood.log_prob(target, self.outputs(z))

        def of_samples(z):
            outputs = self.outputs(tf.reshape(z, [-1, self.code.code_bits]))
            shape = tf.concat([tf.shape(z)[:1], tf.shape(target)], axis=0)
            return self.likelihood.log_prob(tf.broadcast_to(target, shape), tf.reshape(outputs, shape))

        return in_parts(of_samples, z, self.decoder.trainable_variables, self.samples_at_once)

    def bound_terms(self, log_likelihood, posterior):
        """The ELBO and its parts.

        Args:
          log_likelihood: `[b]`, tf.float32, log p(x | z), the mean over samples of z.
          posterior: `BitPosterior` or `WordPosterior`.

        Returns:
          `dict` of tf.float32, in nats: `elbo`, `reconstruction`, `kl` `[b]`, and `kl_branches` `[b, branches]`.
        """
        kl_branches = posterior.kl_branches()
        kl = tf.reduce_sum(kl_branches, axis=-1)
        return {
            "elbo": log_likelihood - kl,
            "reconstruction": log_likelihood,
            "kl": kl,
            "kl_branches": kl_branches,
        }

    def evidence(self, images, seed):
        """The evidence lower bound and its parts, one sample of z per image, whatever the training maximizes.

        Of a code whose bits are sent several times it is no bound on log p(x), see `objectives.Elbo`.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.

        Returns:
          `dict` of tf.float32, in nats: `elbo`, `reconstruction`, `kl` `[b]`, and `kl_branches` `[b, branches]`.
        """
        posterior = self.posterior(images)
        return self.bound_terms(self.log_likelihood(images, posterior.latents(self.beta, seed)), posterior)

    @property
    def metric_names(self):
        """Names of what training reports, a tuple of `str`, the bound that it maximizes first."""
        names = tuple(dict.fromkeys([self.objective.bound, "elbo", "reconstruction", "kl"]))
        branches = range(1, len(self.code.branches) + 1)
        several = len(branches) > 1 and not self.objective.over_words
        return names + tuple(f"kl_m{branch}" for branch in branches if several)

    @property
    def monitor(self):
        """`str`, the name of the bound that training maximizes."""
        return self.objective.bound

    def reported_loss(self, terms):
        """Minus the bound: what is differentiated may be none."""
        return -terms[self.objective.bound]

    def training_terms(self, images, seed, step=None):
        """What one training step computes of its images.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.
          step: not used; nothing changes in the course of a training.

        Returns:
          `dict` of tf.float32 `[b]`: `loss`, whose mean is differentiated, and each of `metric_names` in nats.
        """
        terms = self.objective(self, images, seed)
        for branch, kl in enumerate(tf.unstack(terms.pop("kl_branches"), axis=-1), start=1):
            terms[f"kl_m{branch}"] = kl
        return {name: terms[name] for name in ("loss", *self.metric_names)}

    def call(self, images, training=None):
        """Reconstructions `[b, h, w, c]` in [0, 1] with the run's test noise; see `evidence` for the bound."""
        return self.decode(self.sample(images, seeds.derive(self.seed, seeds.TEST)))
