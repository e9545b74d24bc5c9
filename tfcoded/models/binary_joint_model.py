"""Source and channel coding in one: images as bits over a channel that flips or erases them."""

import math

import keras
import tensorflow as tf

from tfcoded import objectives
from tfcoded.channels import BitChannel
from tfcoded.distributions import BinaryConcreteLogit, bernoulli_kl
from tfcoded.models.system import System, squared_error
from tfcoded.networks import SIZES, ResNetEncoder
from tfcoded.utils import seeds
from tfcoded.utils.random import uniform

_CHANNEL, _DECODER, _BITS, _TEST = range(10, 14)  # purposes of seeds


@keras.saving.register_keras_serializable("tfcoded")
class BinaryJointModel(System):
    """Encoder, binary channel and decoder, trained together.

    ```none
    x -> encoder -> log-odds l -> bits y -> channel -> z -> decoder -> x
    ```

    The decoder is given `2 z - 1`, and 0 for an erased bit. What is minimised is `E[SSE(x, f(z))] + beta KL`, in one of
    two ways:

    * True bits (of any `BitChannel` but relaxed ones). The symbols that arrive have a law of their own, encoder and
      channel collapsed, see `BitChannel.arrivals`. `samples` words are drawn of it for each image; the encoder learns by REINFORCE, each word with the
      others as its baseline, the decoder by the mean over the words. KL is that of the bits sent from fair ones,
      exact.
    * Relaxed bits (`BinarySymmetricChannel` with `mode="relaxed"` or `"mixture"`): logits of binary concrete variables of temperature
      `posterior_temperature`, sent over the relaxed channel, with an ordinary gradient. KL is estimated from the one
      word that is sent, `log q(y) - log p(y)`: densities of logits, p of fair bits with `prior_temperature`.

    Once trained, both send bits over the hard channel, and so does a test step for `sse` and `mse`; its `loss` is the
    objective. `rate` is the KL above in bits, and `kl_v` that of an `ALVDecoder`'s latent variables, in nats: see
    `JointModel`.

    Args:
      encoder: from images to log-odds `[b, n]`, like `ResNetEncoder(law="bits")`.
      channel: `BitChannel`, such as `BinarySymmetricChannel` or `BinaryErasureChannel`.
      decoder: from `[b, n]` to images: `ResNetDecoder`, `PlainDrawDecoder`, or with latent variables `ALVDecoder`.
      samples: `int` of at least 2, words drawn per image, where bits are true.
      posterior_temperature: `float`, of relaxed bits.
      prior_temperature: `float`, of relaxed bits.
      observation_std: `float`, see `JointModel`.
      name: `str`.
      **options: see `System`.

    Raises:
      ValueError: if an argument is impossible.

    Example:

    ```python
    encoder = ResNetEncoder(100, 8, law="bits")
    model = BinaryJointModel(encoder, BinarySymmetricChannel(0.9), ResNetDecoder(100, 8), beta=0.1)
    bits = model.transmit(images_uint8, seed=tf.constant([1, 2]))   # [b, 100], zeros and ones
    ```

    #### References

    [1]: Ullrich, Viola, Rezende. Neural Communication Systems with Bandwidth-limited Channel. 2020, appendix.
         https://arxiv.org/abs/2003.13367
    [2]: Choi, Tatwawadi, Grover, Weissman, Ermon. Neural Joint Source-Channel Coding. 2019 (the collapsed law).
         https://arxiv.org/abs/1811.07557
    """

    def __init__(
        self,
        encoder,
        channel,
        decoder,
        samples=5,
        posterior_temperature=0.2,
        prior_temperature=0.1,
        observation_std=0.05,
        name="joint",
        **options,
    ):
        super().__init__(encoder.image_shape, encoder.symbols, name=name, **options)
        if not isinstance(channel, BitChannel):
            raise ValueError(
                f"the channel must be one of bits, a tfcoded.channels.BitChannel, got {type(channel).__name__}"
            )
        if samples < 2:
            raise ValueError(f"samples must be at least 2: the others are the baseline of each; got {samples}")
        self.encoder = encoder
        self.channel = channel
        self.decoder = decoder
        self.samples = samples
        self.posterior_temperature = posterior_temperature
        self.prior_temperature = prior_temperature
        self.observation_std = observation_std
        # What is used once training is over; it has no weights.
        self.hard_channel = channel.hardened()
        self._finish()

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        settings, size, shape = config.channel, SIZES[config.network.size], config.network.image_shape
        return cls(
            ResNetEncoder(settings.symbols, size.width, shape, seed, "bits", name="encoder"),
            settings.build("channel"),
            config.decoder.build(settings.symbols, size, shape, seed),
            **settings.estimator(),
            **config.decoder.likelihood(),
            **cls.options(config, seed, total_steps),
        )

    @property
    def relaxed(self):
        """`bool`, whether training sends relaxed bits."""
        return self.channel.relaxed

    @property
    def metric_names(self):
        return ("mse", "sse", "rate", "kl_v") if self._draws else ("mse", "sse", "rate")

    def arguments(self):
        """See `StochasticModel.arguments`."""
        parts = ("encoder", "channel", "decoder")
        numbers = ("samples", "posterior_temperature", "prior_temperature", "observation_std")
        return super().arguments() | {name: getattr(self, name) for name in parts + numbers}

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        self.encoder.build((None, *self.item_shape))
        self.decoder.build((None, self.symbols))
        self.built = True

    def transmit(self, images, seed):
        """Zeros and ones. See `System.transmit`."""
        return self._draw(self.encoder(self.to_unit_range(images)), seed)

    def corrupt(self, symbols, seed):
        """Zeros and ones, 0.5 for an erased bit. See `System.corrupt`."""
        return self.hard_channel.values(self.hard_channel.corrupt(symbols, seeds.derive(seed, _CHANNEL)))

    def receive(self, symbols, bands, seed):
        """All bits have arrived, or been erased: `bands` is not looked at. See `System.receive`."""
        return self._decode(_signs(symbols), seed)

    def rates(self, images, seed):
        """`"rate"`, the divergence of the bits that are sent from fair ones; the seed is not used."""
        logits = self.encoder(self.to_unit_range(images))
        return {"rate": _divergence(logits) / math.log(2)}

    def training_terms(self, images, seed, step=None):
        """See `StochasticModel.training_terms`, and the class for what is reported."""
        images = self.inputs(images, seed, step)
        logits = self.encoder(images)
        distortion, rate, terms = (self._relaxed_terms if self.relaxed else self._scored_terms)(images, logits, seed)
        if step is None and (self.relaxed or self._draws):
            seed = seeds.derive(seed, _TEST)
            arrived = self.corrupt(self._draw(logits, seed), seed)
            terms["sse"] = squared_error(self.receive(arrived, 1, seed), images)
        loss = distortion + self.weight_of_rate(step) * rate
        terms |= {"loss": loss, "mse": terms["sse"] / self.pixels, "rate": rate / math.log(2)}
        return {name: terms[name] for name in ("loss", *self.metric_names)}

    @property
    def _draws(self):
        """Whether the decoder has latent variables of its own."""
        return hasattr(self.decoder, "posterior")

    def _relaxed_terms(self, images, logits, seed):
        """Distortion and rate of one relaxed word for each image, `[b]`, and a dict of further terms."""
        posterior = BinaryConcreteLogit(logits, self.posterior_temperature)
        y = posterior.sample(seed=seeds.derive(seed, _BITS))
        prior = BinaryConcreteLogit(tf.zeros_like(logits), self.prior_temperature)
        rate = tf.reduce_sum(posterior.log_prob(y) - prior.log_prob(y), axis=-1)
        z = self.channel(y, seed=seeds.derive(seed, _CHANNEL))["z"]
        distortion, terms = self._distortion(_signs(tf.sigmoid(z)), images, seeds.derive(seed, _DECODER))
        return distortion, rate, terms

    def _scored_terms(self, images, logits, seed):
        """The same of several words of true bits for each image, with the score-function gradient."""
        z, log_q = self.arrivals(logits, seed)
        copies = tf.concat([images] * self.samples, axis=0)
        distortion, terms = self._distortion(
            _signs(tf.reshape(z, [-1, self.symbols])), copies, seeds.derive(seed, _DECODER)
        )
        by_word = tf.reshape(distortion, [self.samples, -1])
        surrogate = objectives.leave_one_out(by_word, log_q)
        # The surrogate is there for its gradient only.
        distortion = tf.reduce_mean(by_word, axis=0) + surrogate - tf.stop_gradient(surrogate)
        terms = {name: tf.reduce_mean(tf.reshape(value, [self.samples, -1]), axis=0) for name, value in terms.items()}
        return distortion, _divergence(logits), terms

    def arrivals(self, logits, seed):
        """Words as they arrive, drawn of the collapsed law of encoder and channel.

        Args:
          logits: `[b, n]`, log-odds of the bits that are sent.
          seed: `int32 [2]`.

        Returns:
          Pair of tf.float32: words `[samples, b, n]` of zeros, ones and, where erased, halves, without a gradient; and
          their log-probabilities `[samples, b]`, differentiable in `logits`.
        """
        words, log_q = self.channel.arrivals(logits, self.samples, seeds.derive(seed, _BITS))
        return words, tf.reduce_sum(log_q, axis=-1)

    def _distortion(self, z, images, seed):
        """What training minimises of the pixels, `[b]`, and a dict of its parts."""
        if not self._draws:
            sse = squared_error(self.decoder(z), images)
            return sse, {"sse": sse}
        explained = self.decoder.posterior(z, images, seed)
        sse, kl = squared_error(explained["images"], images), tf.reduce_sum(explained["kl"], axis=-1)
        return sse + 2 * self.observation_std**2 * kl, {"sse": sse, "kl_v": kl}

    def _decode(self, z, seed):
        return self.decoder(z, seed=seeds.derive(seed, _DECODER)) if self._draws else self.decoder(z)

    @staticmethod
    def _draw(logits, seed):
        """Bits of log-odds `logits`."""
        return tf.cast(uniform(1, logits, seeds.derive(seed, _BITS))[0] < tf.sigmoid(logits), logits.dtype)


def _signs(bits):
    return 2 * tf.convert_to_tensor(bits) - 1


def _divergence(logits):
    """Divergence of bits from fair ones, `[b]`, nats."""
    return tf.reduce_sum(bernoulli_kl(logits), axis=-1)
