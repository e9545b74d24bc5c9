"""Source and channel coding in one: images as numbers over a noisy channel whose last bands may be lost."""

import math

import keras
import tensorflow as tf

from tfcoded.channels import BandwidthLimitedChannel, GaussianChannel, GaussianPrior, RealChannel
from tfcoded.distributions import normal_kl, standard_normal
from tfcoded.models.system import System, squared_error
from tfcoded.networks import SIZES, BandDrawPrior, ResNetEncoder
from tfcoded.networks.resnet import normal_parameters
from tfcoded.networks.stock_layers import dense
from tfcoded.utils import seeds

_CHANNEL, _DECODER, _LOST, _TEST = range(10, 14)  # purposes of seeds


@keras.saving.register_keras_serializable("tfcoded")
class JointModel(System):
    """Encoder, channel of real numbers and decoder, trained together.

    ```none
    x -> encoder -> N(mu, sig^2) -> power -> y -> channel -> z -> lost bands filled in by the prior -> decoder -> x
    ```

    #### Mathematical details

    What is minimised, with B the number of bands that arrive, is one of

    ```none
    "rd"     E_B[SSE(x, f(z^B))] + beta sum_t KL(N(mu_t, sig_t^2) || p(y_t | z_<t))
    "elbo"   E_B[SSE(x, f(z^B)) + beta sum_{t > B} KL(q(z_t | x) || p(z_t | z_<t))] + beta E_B[sum_{t <= B} fit_t]
    ```

    SSE is the sum of squared errors of an image's pixels in [0, 1], and divergences are in nats. With "rd" lost bands
    are filled in by the prior while the system is trained, as they are when it is used. The divergence is over all
    bands, given what is received of those before, and it is all that a learned prior learns by. (With
    `prior_space="z"` it is that of what arrives, `N(mu, sig^2 + noise_std^2)`.) It bounds I(X; Z), so `beta` trades
    the rate for the distortion. (Not with `GaussianChannel(power="element")`, whose noise depends on the image.)

    With "elbo" the lost bands are drawn from a posterior q(z_t | x), a second head of the encoder, which only training
    has: the paper's bound with a posterior that differs from encoder and channel where these have no say. What arrives
    costs nothing then; `fit_t` is the divergence of "rd", of which only the prior gets a gradient, so that it also
    knows bands that are received. Where no band ever arrives this is a VAE.

    With an `ALVDecoder` the SSE is replaced by that under the posterior of its latent variables, plus
    `2 s^2 sum_j KL(q(v_j) || p(v_j))`, where s is `observation_std`: a bound of log p(x | z), times `-2 s^2`.

    #### What is reported

    `loss` is the objective. `sse` and `mse` are those of the path that training takes; in a test step they are of the
    system as it communicates, with filler of the prior and the decoder's prior. `rate` is the divergence of "rd", in
    bits, and `kl_v` that of the decoder's latent variables, in nats.

    Args:
      encoder: from images to `(mu, log_sig)`, `[b, n]` each, with the attributes `image_shape` and `symbols`, like
        `ResNetEncoder`; for "elbo" `features` and `units` too.
      channel: `BandwidthLimitedChannel` around a `RealChannel`; of one band, where nothing is lost.
      decoder: from the channel's `"decoder_input"` to images: `ResNetDecoder`, `PlainDrawDecoder`, `ALVDecoder`.
      prior_space: `str`, "y" or "z": which symbols the channel's prior models.
      objective: `str`, "rd" or "elbo", see above.
      observation_std: `float`, s, of pixels under an `ALVDecoder`.
      name: `str`.
      **options: see `System`.

    Raises:
      ValueError: if an argument is impossible.

    Example:

    ```python
    channel = BandwidthLimitedChannel(GaussianChannel(snr=1.0), bands=5, prior=BandDrawPrior(16))
    model = JointModel(ResNetEncoder(100, 8), channel, ResNetDecoder(100, 8), beta=0.1)
    model.compile(optimizer=AdamL2(1e-3, l2=0.0))
    model.fit(images_uint8, batch_size=128)                                 # [N, 32, 32, 3]
    images = model.communicate(images_uint8[:5], 2, seed=tf.constant([1, 2]))   # two of the five bands arrive
    ```

    #### References

    [1]: Ullrich, Viola, Rezende. Neural Communication Systems with Bandwidth-limited Channel. 2020, equations 5 to 9.
         https://arxiv.org/abs/2003.13367
    """

    def __init__(
        self,
        encoder,
        channel,
        decoder,
        prior_space="y",
        objective="rd",
        observation_std=0.05,
        name="joint",
        **options,
    ):
        super().__init__(encoder.image_shape, encoder.symbols, channel.bands, name=name, **options)
        if not isinstance(channel.channel, RealChannel):
            name = type(channel.channel).__name__
            raise ValueError(f"the channel inside must be one of numbers, a tfcoded.channels.RealChannel, got {name}")
        if prior_space == "z" and not isinstance(channel.channel, GaussianChannel):
            name = type(channel.channel).__name__
            raise ValueError(f"prior_space='z' is the law of what arrives, known of a GaussianChannel; got {name}")
        if prior_space not in ("y", "z"):
            raise ValueError(f"prior_space must be 'y' or 'z', got {prior_space!r}")
        if objective not in ("rd", "elbo"):
            raise ValueError(f"objective must be 'rd' or 'elbo', got {objective!r}")
        if objective == "elbo" and channel.fill_noise != "none":
            raise ValueError("objective='elbo' compares a posterior with the filler's law: fill_noise must be 'none'")
        if prior_space == "z" and isinstance(channel.prior, GaussianPrior):
            raise ValueError("what arrives is not N(0, 1): prior_space='z' needs a learned prior, not a GaussianPrior")
        self.encoder = encoder
        self.channel = channel
        self.decoder = decoder
        self.prior_space = prior_space
        self.objective = objective
        self.observation_std = observation_std
        if objective == "elbo":
            # It starts as N(0, 1), as priors do.
            self.lost_head = dense(encoder.units, 2 * self.symbols, self.seed, "lost_head", gain=0, dtype="float32")
        self._finish()

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        settings, size, shape = config.channel, SIZES[config.network.size], config.network.image_shape
        channel = BandwidthLimitedChannel(
            settings.build(settings.kind),
            settings.bands,
            settings.probabilities or None,
            settings.marginalise,
            _prior(config.prior, size, seed),
            settings.fill_noise,
            settings.filler_grad,
            settings.reveal_bands,
            name="channel",
        )
        inputs = settings.symbols + settings.bands * settings.reveal_bands
        return cls(
            ResNetEncoder(settings.symbols, size.width, shape, seed, name="encoder"),
            channel,
            config.decoder.build(inputs, size, shape, seed),
            config.prior_space,
            config.objective,
            **config.decoder.likelihood(),
            **cls.options(config, seed, total_steps),
        )

    @property
    def metric_names(self):
        return ("mse", "sse", "rate", "kl_v") if self._draws else ("mse", "sse", "rate")

    @property
    def prior(self):
        """The prior of the symbols, a `SymbolPrior`."""
        return self.channel.prior

    def arguments(self):
        """See `StochasticModel.arguments`."""
        own = ("encoder", "channel", "decoder", "prior_space", "objective", "observation_std")
        return super().arguments() | {name: getattr(self, name) for name in own}

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        self.encoder.build((None, *self.item_shape))
        if self.objective == "elbo":
            self.lost_head.build((None, self.encoder.units))
        self.channel.build((None, self.symbols))
        self.decoder.build((None, self.symbols + self.bands * self.channel.reveal_bands))
        self.built = True

    def send(self, images, seed):
        """What the channel makes of images, all bands of them; a dict, see `RealChannel.call`."""
        mu, log_sig = self.encoder(self.to_unit_range(images))
        return self.channel.channel(mu, log_sig, seed=seeds.derive(seed, _CHANNEL), training=False)

    def transmit(self, images, seed):
        """See `System.transmit`."""
        return self.send(images, seed)["y"]

    def corrupt(self, symbols, seed):
        """See `System.corrupt`."""
        return self.channel.corrupt(symbols, seeds.derive(seed, _CHANNEL))

    def receive(self, symbols, bands, seed):
        """See `System.receive`."""
        if self.bands == 1:
            bands = 1
        seen = self.channel.receive(symbols, bands, seeds.derive(seed, _CHANNEL))
        return self._decode(seen["decoder_input"], seeds.derive(seed, _DECODER))

    def rates(self, images, seed):
        """`"rate"`, the divergence from the prior, and the bounds that the channel gives. See `System.rates`."""
        sent = self.send(images, seed)
        rates = {"rate": tf.reduce_sum(self.divergences(sent, sent["z"]), axis=-1) / math.log(2)}
        return rates | self.channel.channel.rates(sent)

    def divergences(self, sent, context):
        """Of every band, the divergence of its law from that of the prior given the bands before.

        Args:
          sent: dict, as `RealChannel.call` returns it; of `GaussianChannel` where `prior_space="z"`.
          context: `[b, n]`, the symbols received.

        Returns:
          `[b, T]`, nats.
        """
        prior_mean, prior_log_std = self.prior.dist_params(self._by_band(context))
        if self.prior_space == "y":
            log_std = tf.math.log(sent["sig"])
        else:
            log_std = 0.5 * tf.math.log(tf.square(sent["sig"]) + tf.square(sent["noise_std"]))
        mean, log_std = self._by_band(sent["mu"]), self._by_band(log_std)
        return tf.reduce_sum(normal_kl(mean, log_std, prior_mean, prior_log_std), axis=-1)

    def training_terms(self, images, seed, step=None):
        """See `StochasticModel.training_terms`, and the class for what is reported."""
        images = self.inputs(images, seed, step)
        if self.objective == "elbo":
            sent, rate, penalty = self._with_posterior(images, seed, step)
        else:
            mu, log_sig = self.encoder(images)
            sent = self._through(mu, log_sig, seed, step)
            rate = penalty = tf.reduce_sum(self.divergences(sent, sent["received"]), axis=-1)
        copies = tf.concat([images] * sent["weights"].shape[0], axis=0)
        distortion, more = self._distortion(sent, copies, seeds.derive(seed, _DECODER))
        if step is None and (self._draws or self.objective == "elbo"):
            more["sse"] = self._test_error(sent, copies, seeds.derive(seed, _TEST))
        terms = {name: self.channel.average(value, sent["weights"]) for name, value in more.items()}
        loss = self.channel.average(distortion, sent["weights"]) + self.weight_of_rate(step) * penalty
        terms |= {"loss": loss, "mse": terms["sse"] / self.pixels, "rate": rate / math.log(2)}
        return {name: terms[name] for name in ("loss", *self.metric_names)}

    @property
    def _draws(self):
        """Whether the decoder has latent variables of its own."""
        return hasattr(self.decoder, "posterior")

    def _through(self, mu, log_sig, seed, step, filler=None):
        seed = seeds.derive(seed, _CHANNEL)
        return self.channel(mu, log_sig, seed=seed, training=step is not None, filler=filler)

    def _with_posterior(self, images, seed, step):
        """What was sent, with draws of the posterior in the place of lost bands; the rate; what the bound costs."""
        features = self.encoder.features(images)
        mean, log_std = normal_parameters(self.lost_head(features))
        # Each copy has noise of its own, as filler has.
        copies = 1 if self.channel.marginalise == "mc" else sum(p > 0 for p in self.channel.probabilities)
        mean, log_std = (tf.concat([value] * copies, axis=0) for value in (mean, log_std))
        draws = mean + tf.exp(log_std) * standard_normal(mean, seeds.derive(seed, _LOST))
        sent = self._through(*self.encoder.parameters(features), seed, step, draws)
        prior = self.prior.dist_params(self._by_band(sent["z"]))
        lost = tf.reduce_sum(normal_kl(self._by_band(mean), self._by_band(log_std), *prior), axis=-1)
        lost = tf.reduce_sum((1 - sent["keep"]) * lost, axis=-1)
        fixed = {name: tf.stop_gradient(value) for name, value in sent.items()}
        divergences = self.divergences(fixed, fixed["received"])
        fit = tf.reduce_sum(self.channel.average(sent["keep"], sent["weights"]) * divergences, axis=-1)
        return sent, tf.reduce_sum(divergences, axis=-1), self.channel.average(lost, sent["weights"]) + fit

    def _distortion(self, sent, copies, seed):
        """What training minimises of the pixels, `[K b]`, and a dict of its parts."""
        if not self._draws:
            sse = squared_error(self.decoder(sent["decoder_input"]), copies)
            return sse, {"sse": sse}
        explained = self.decoder.posterior(sent["decoder_input"], copies, seed)
        sse, kl = squared_error(explained["images"], copies), tf.reduce_sum(explained["kl"], axis=-1)
        return sse + 2 * self.observation_std**2 * kl, {"sse": sse, "kl_v": kl}

    def _test_error(self, sent, copies, seed):
        """Squared error of the system as it communicates, `[K b]`, at the bandwidths of `sent`."""
        seen = sent
        if self.objective == "elbo":
            received = tf.concat([sent["received"]] * sent["weights"].shape[0], axis=0)
            seen = self.channel.receive(received, sent["bands"], seeds.derive(seed, _CHANNEL))
        return squared_error(self._decode(seen["decoder_input"], seeds.derive(seed, _DECODER)), copies)

    def _decode(self, z, seed):
        """Images of what the receiver sees, by the path of a test."""
        return self.decoder(z, seed=seed) if self._draws else self.decoder(z)

    def _by_band(self, symbols):
        """`[b, n]` as `[b, T, m]`."""
        return tf.reshape(symbols, [-1, self.bands, self.symbols // self.bands])


def _prior(kind, size, seed):
    if kind == "gaussian":
        return GaussianPrior(name="prior")
    if kind == "draw":
        return BandDrawPrior(size.prior_units, seed=seed, name="prior")
    # A map of 2x2 positions: a quarter of the units in each.
    return BandDrawPrior(max(1, size.prior_units // 4), "spatial", seed, name="prior")
