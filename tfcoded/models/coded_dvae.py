"""The discrete variational autoencoder whose latent bits are protected by an error-correcting code."""

import keras
import tensorflow as tf

from tfcoded import codes, objectives, seeds
from tfcoded.config import check_implemented
from tfcoded.distributions import SmoothedBernoulli, TruncatedExponential
from tfcoded.models.probability_clip import clip_probability
from tfcoded.networks import Decoder, Encoder


class CodedDVAE(keras.Model):
    """Coded-DVAE: encoder, soft decoding, soft encoding, smoothing, decoder.

    ```none
    x -> encoder -> q^u(c|x) -> soft decoding -> q(m|x) -> soft encoding -> q(c|x) -> smoothing -> z -> decoder -> x
         D logits               M logits                   D logits                   D in [0, 1]
    ```

    With `codes.Uncoded` it is the uncoded DVAE (Algorithm 1 of the paper), otherwise the Coded-DVAE (Algorithm 2).
    Densities are float32 whatever the networks' dtype policy.

    Args:
      code: a `tfcoded.codes.Code` with M information bits and D code bits.
      image_shape: `(height, width, channels)`: 28x28x1, 32x32x3 or 64x64x3.
      likelihood: `"bernoulli"` or `"gaussian"`.
      beta: `float`, inverse temperature of the smoothing.
      encoder_width: `int`, hidden units of the encoder (h').
      decoder_width: `int`, hidden units of the decoder (h).
      seed: `int`, of the initial weights and of all noise.

    Raises:
      ValueError: if no networks exist for the image shape or the likelihood is unknown.

    Example:

    ```python
    model = CodedDVAE(codes.Repetition(8, 80), image_shape=(28, 28, 1))
    model.compile(optimizer=AdamL2(1e-4))
    model.fit(images_uint8, batch_size=128, epochs=1)  # [N, 28, 28, 1]
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
        name="coded_dvae",
    ):
        super().__init__(name=name)
        self.code = code
        self.image_shape = tuple(image_shape)
        self.likelihood = objectives.likelihood(likelihood)
        self.beta = float(beta)
        self.seed = seed
        self.encoder = Encoder(image_shape, code.code_bits, encoder_width, seed)
        self.decoder = Decoder(image_shape, code.code_bits, decoder_width, seed)
        names = ["elbo", "reconstruction", "kl"]
        if len(code.branches) > 1:
            names += [f"kl_m{branch}" for branch in range(1, len(code.branches) + 1)]
        self._trackers = [keras.metrics.Mean(name=metric) for metric in ["loss", *names]]
        self.build()

    @classmethod
    def from_configuration(cls, config, seed=0):
        """The model that a `tfcoded.config.Config` describes.

        Args:
          config: `tfcoded.config.Config`.
          seed: `int`.

        Raises:
          ConfigError: if the configuration asks for an objective that this model does not train.
        """
        check_implemented(config)
        code = codes.build(config.code.kind, config.code.information_bits, config.code.code_bits, config.code.polar)
        return cls(
            code,
            config.network.image_shape,
            config.likelihood,
            config.beta,
            config.network.encoder_width,
            config.network.decoder_width,
            seed,
        )

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        self.encoder.build((None, *self.image_shape))
        self.decoder.build((None, self.code.code_bits))
        self.built = True

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds the optimizer; the weights exist. Keras' own averages a batch over replicas, which may be uneven."""
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return self._trackers

    def to_unit_range(self, images):
        """Images as tf.float32 in [0, 1].

        Args:
          images: `[b, h, w, c]`, tf.uint8 in 0..255, or floating in [0, 1].
        """
        if images.dtype == tf.uint8:
            return tf.cast(images, tf.float32) / 255.0
        return tf.cast(images, tf.float32)

    def information_logits(self, images):
        """Posterior logits of the information bits: the encoder's clipped claims, softly decoded.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].

        Returns:
          `[b, M]`, tf.float32; q(m_k = 1 | x) is their sigmoid (equation 11; 14-15 with branches).
        """
        pixels = self.likelihood.scale(self.to_unit_range(images))
        return self.code.soft_decode(clip_probability(tf.cast(self.encoder(pixels), tf.float32)))

    def sample(self, logits, seed):
        """One reparameterized sample of the smoothed code bits from the softly encoded posterior (equation 5).

        Args:
          logits: `[..., M]`, tf.float32, posterior logits of the information bits.
          seed: `int32 [2]`.

        Returns:
          z `[..., D]`, tf.float32 in [0, 1], differentiable in the logits.
        """
        return SmoothedBernoulli(self.code.soft_encode(logits), self.beta).sample(seed=seed)

    def modulate(self, bits, seed):
        """Smoothed code bits of given information bits: hard encoding, then p(z | c) (equation 8).

        Args:
          bits: `[..., M]`, 0 or 1, any integer or floating dtype.
          seed: `int32 [2]`.

        Returns:
          z `[..., D]`, tf.float32 in [0, 1].
        """
        codeword = tf.cast(self.code.encode(bits), tf.float32)
        return TruncatedExponential(self.beta * (1.0 - 2.0 * codeword)).sample(seed=seed)

    def outputs(self, z):
        """The decoder's output, `z : [b, D]` to `[b, h, w, c]`, tf.float32: parameters of the likelihood."""
        return tf.cast(self.decoder(z), tf.float32)

    def decode(self, z):
        """The decoder's mean image in [0, 1], `z : [b, D]` to `[b, h, w, c]`, tf.float32."""
        return self.likelihood.mean(self.outputs(z))

    def evidence(self, images, seed):
        """The bound and its parts, one sample of z per image.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.

        Returns:
          `dict` of tf.float32, in nats: `elbo`, `reconstruction`, `kl` `[b]`, and `kl_branches` `[b, branches]`.
        """
        logits = self.information_logits(images)
        outputs = self.outputs(self.sample(logits, seed))
        target = self.likelihood.scale(self.to_unit_range(images))
        log_likelihood = self.likelihood.log_prob(target, outputs)
        bound, kl_branches = objectives.elbo(log_likelihood, logits, self.code.branches)
        return {
            "elbo": bound,
            "reconstruction": log_likelihood,
            "kl": tf.reduce_sum(kl_branches, axis=-1),
            "kl_branches": kl_branches,
        }

    def call(self, images, training=None):
        """Reconstructions `[b, h, w, c]` in [0, 1] with the run's test noise; see `evidence` for the bound."""
        return self.decode(self.sample(self.information_logits(images), seeds.derive(self.seed, seeds.TEST)))

    def train_step(self, images):
        """One optimizer step on `images : [b, h, w, c]`, tf.uint8, this replica's part of the batch."""
        replica = tf.distribute.get_replica_context()
        seed = seeds.derive(
            self.seed, seeds.TRAIN, self.optimizer.iterations, replica.replica_id_in_sync_group
        )
        # The mean is over the images of all replicas: the last batch of an epoch may split unevenly.
        count = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.shape(images)[0], tf.float32))
        with tf.GradientTape() as tape:
            terms = self.evidence(images, seed)
            loss = -tf.reduce_sum(terms["elbo"]) / count
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return self._track(terms)

    def test_step(self, images):
        """The bound of `images : [b, h, w, c]`, tf.uint8; the noise depends on how many images came before."""
        replica = tf.distribute.get_replica_context()
        place = self._trackers[0].count
        seed = seeds.derive(self.seed, seeds.TEST, place, replica.replica_id_in_sync_group)
        return self._track(self.evidence(images, seed))

    def _track(self, terms):
        values = [-terms["elbo"], terms["elbo"], terms["reconstruction"], terms["kl"]]
        if len(self._trackers) > len(values):
            values += tf.unstack(terms["kl_branches"], axis=-1)
        for tracker, value in zip(self._trackers, values, strict=True):
            tracker.update_state(value)
        results = {tracker.name: tracker.result() for tracker in self._trackers}
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Between workers Keras averages over a first axis, which scalars lack; the values are the same everywhere.
            results = {name: value[tf.newaxis] for name, value in results.items()}
        return results
