"""The channel with additive Gaussian noise at a given signal-to-noise ratio."""

import math

import keras
import tensorflow as tf

from tfcoded.channels.capacity import gaussian_capacity
from tfcoded.channels.channel import Channel, as_reals, choice, derive, positive, positive_count
from tfcoded.channels.prior import GaussianPrior
from tfcoded.distributions import standard_normal

_FLOOR = 1e-6  # of a power that is divided by
_ENCODER, _NOISE = range(2)  # purposes of seeds


@keras.saving.register_keras_serializable(package="tfcoded")
class GaussianChannel(Channel):
    """Normalises the power of a Gaussian code, draws it, and adds white Gaussian noise.

    #### Mathematical details

    The encoder's law `N(mu_i, sig_i^2)` of symbol `i` is scaled to unit power, a symbol is drawn and sent,

    ```none
    y_i = mu_i + sig_i eps_i        z_i = y_i + w_i / sqrt(snr)        eps, w ~ N(0, 1)
    ```

    What is scaled, and by what, is the argument `power`:

    * `"batch"`: symbol by symbol, by the root of `P_i`, the mean of `mu_i^2 + sig_i^2` over the batch (over
      all axes but the last). The gradient flows through `P_i`. In inference `P_i` is the moving average that
      training left, so that an image alone is sent as it would be among others.
    * `"codeword"`: every codeword (every band of it) to the norm `sqrt(m)` of its `m` symbols, after `y` was
      drawn. `y` is then no longer Gaussian, and `mu` and `sig` merely carry its factor.
    * `"none"`: nothing; unit power is nominal, to be enforced by a divergence from N(0, 1). An ablation: look
      at `measured_snr`.
    * `"element"`: nothing, but the standard deviation of the noise is `|mu_i| / sqrt(snr)`, or with
      `reading="amplitude"` the `|mu_i| / snr` that the paper prints (equation 4), whose ratio of powers is
      `snr^2`. An ablation: noise that grows with the symbol itself does not limit the capacity. A code
      `y = exp(20 u)` carries `u` almost exactly at any ratio.

    At `snr = 1` the two readings agree.

    #### Replicas

    `P_i` is over the replica's own part of a batch, as in batch normalisation; the moving averages of the
    replicas are averaged.

    #### Example

    ```python
    channel = GaussianChannel(snr=10.0)
    sent = channel(mu, log_sig, seed=tf.constant([1, 2]), training=True)   # mu, log_sig: [128, 100]
    images = decoder(sent["z"])                                           # [128, 100]
    channel.capacity_bits                                                 # 1.73 bits per symbol
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        4.1. https://arxiv.org/abs/2003.13367
    [2] Bourtsoulatze, Burth Kurka, Gunduz, Deep Joint Source-Channel Coding for Wireless Image Transmission,
        2019 (power per codeword). https://arxiv.org/abs/1809.01733
    """

    def __init__(self, snr=1.0, power="batch", reading="power", bands=1, decay=0.99, **kwargs):
        """Initialises the layer.

        Args:
          snr: `float`, signal-to-noise ratio: linear, of powers. `snr_from_decibel` converts.
          power: `str`, "batch", "codeword", "none" or "element", see above.
          reading: `str`, "power" or "amplitude": of the ratio when `power="element"`.
          bands: `int`, into how many equal parts a codeword is divided when `power="codeword"`.
          decay: `float` in [0, 1), of the moving average of the power when `power="batch"`.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible, or would have no effect.
        """
        super().__init__(**kwargs)
        self.snr = float(positive(snr, "snr"))
        self.power = choice(power, "power", ("batch", "codeword", "none", "element"))
        self.reading = choice(reading, "reading", ("power", "amplitude"))
        self.bands = positive_count(bands, "bands")
        self.decay = decay
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        if reading != "power" and power != "element":
            raise ValueError(f"reading={reading!r} is an ablation of power='element', got power={power!r}")
        if bands != 1 and power != "codeword":
            raise ValueError(f"bands={bands} are normalised by power='codeword' only, got power={power!r}")

    def build(self, input_shape):
        """Creates the moving average of the power, two non-trainable float32 weights."""
        symbols = input_shape[-1] if len(input_shape) else None
        if symbols is None:
            raise ValueError(f"the last axis of mu must be the symbols, in a known number, got {input_shape}")
        if symbols % self.bands:
            raise ValueError(f"{symbols} symbols cannot be divided into {self.bands} equal bands")
        if self.power == "batch":
            # A sum of weighted powers and the sum of the weights: their quotient has no bias, however few
            # batches it has seen, where an average that starts at 1 would keep 60% of that after 50 of them.
            options = {"dtype": "float32", "trainable": False, "autocast": False, "aggregation": "mean"}
            self.power_sum = self.add_weight(name="power_sum", shape=(symbols,), initializer="zeros", **options)
            self.power_weight = self.add_weight(name="power_weight", shape=(), initializer="zeros", **options)

    def call(self, mu, log_sig=None, seed=None, training=False, eps=None, w=None):
        """Sends codewords.

        Args:
          mu: `[..., n]`, means of the channel's input, floating point.
          log_sig: `[..., n]`, logarithms of its standard deviations, or `None` for an encoder without noise.
          seed: int32 [2]; not needed where `eps` and `w` are given.
          training: `bool`, whether the power is that of the batch (which the moving average then follows).
          eps: `[..., n]`, standard normal noise of the encoder.
          w: `[..., n]`, standard normal noise of the channel.

        Returns:
          dict of float32 (or float64) tensors: `"y"` and `"z"` `[..., n]`, sent and received; `"mu"` and
          `"sig"` `[..., n]` after normalisation (`sig` is 0 where `log_sig` is `None`); `"noise_std"`, a
          scalar, or `[..., n]` when `power="element"`.

        Raises:
          ValueError: if an argument has a wrong type or shape, or noise has to be drawn without a seed.
        """
        mu = as_reals(mu, "mu")
        sig = tf.zeros_like(mu) if log_sig is None else tf.exp(as_reals(log_sig, "log_sig", like=mu))
        if self.power == "batch":
            scale = tf.math.rsqrt(tf.maximum(self._symbol_power(mu, sig, training), _FLOOR))
            mu, sig = scale * mu, scale * sig
        y = mu
        if log_sig is not None:
            y = mu + sig * _noise(mu, eps, seed, _ENCODER, "eps")
        if self.power == "codeword":
            scale = self._codeword_scale(y)
            y, mu, sig = scale * y, scale * mu, scale * sig
        noise_std = self._noise_std(mu)
        z = y + noise_std * _noise(y, w, seed, _NOISE, "w")
        return {"y": y, "z": z, "mu": mu, "sig": sig, "noise_std": noise_std}

    def corrupt(self, y, seed=None, w=None):
        """Adds the channel's noise to `y : [..., n]`; `w` is standard normal. See `Channel.corrupt`.

        With `power="element"` the noise is proportional to `y`, all that a channel can know of; that of `call` is
        proportional to `mu`, as the paper has it. The two agree where the encoder has no noise of its own.
        """
        y = as_reals(y, "y")
        return y + self._noise_std(y) * _noise(y, w, seed, _NOISE, "w")

    @property
    def capacity_bits(self):
        """`float`, `1/2 log2(1 + snr)` bits per symbol; infinite for `power="element"`."""
        return math.inf if self.power == "element" else float(gaussian_capacity(self.snr))

    def default_prior(self):
        """`GaussianPrior()`."""
        return GaussianPrior()

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "snr": self.snr,
            "power": self.power,
            "reading": self.reading,
            "bands": self.bands,
            "decay": self.decay,
        }

    def _noise_std(self, level):
        if self.power != "element":
            return tf.constant(1 / math.sqrt(self.snr), level.dtype)
        ratio = math.sqrt(self.snr) if self.reading == "power" else self.snr
        return tf.abs(level) / ratio

    def _codeword_scale(self, y):
        """`[..., n]`, the factor of each symbol's band."""
        shape = tf.shape(y)
        bands = tf.reshape(y, tf.concat([shape[:-1], [self.bands, y.shape[-1] // self.bands]], axis=0))
        mean_square = tf.reduce_mean(tf.square(bands), axis=-1, keepdims=True)
        scale = tf.math.rsqrt(tf.maximum(mean_square, _FLOOR))
        return tf.reshape(tf.broadcast_to(scale, tf.shape(bands)), shape)

    def _symbol_power(self, mu, sig, training):
        """`[n]`, the power of every symbol."""
        if not training:
            average = tf.math.divide_no_nan(tf.convert_to_tensor(self.power_sum), self.power_weight)
            return tf.cast(tf.where(self.power_weight > 0, average, 1.0), mu.dtype)
        axes = list(range(mu.shape.rank - 1))
        count = tf.cast(tf.reduce_prod(tf.shape(mu)[:-1]), mu.dtype)
        power = tf.reduce_sum(tf.square(mu) + tf.square(sig), axis=axes) / tf.maximum(count, 1)
        # A replica may be left without images at the end of an epoch: nothing was measured then.
        keep = tf.where(count > 0, self.decay, 1.0)
        self.power_sum.assign(keep * self.power_sum + (1 - keep) * tf.cast(power, tf.float32))
        self.power_weight.assign(keep * self.power_weight + (1 - keep))
        return power


def _noise(like, supplied, seed, purpose, name):
    if supplied is not None:
        return as_reals(supplied, name, like=like)
    return standard_normal(like, derive(seed, purpose, name))
