"""What channels of real numbers share: the encoder's law is normalised to unit power, drawn, and sent."""

from typing import Any

import tensorflow as tf

from tfcoded.channels.channel import Channel, as_reals, choice, derive, positive_count
from tfcoded.channels.prior import GaussianPrior, SymbolPrior
from tfcoded.distributions import standard_normal

_FLOOR = 1e-6  # of a power that is divided by
_ENCODER, NOISE = range(2)  # purposes of seeds


class RealChannel(Channel):
    """Base of channels of real numbers, which `tfcoded.models.JointModel` trains through.

    #### Mathematical details

    The encoder's law `N(mu_i, sig_i^2)` of symbol `i` is scaled to unit power, a symbol is drawn and sent,

    ```none
    y_i = mu_i + sig_i eps_i        z_i ~ C(z | y_i)        eps ~ N(0, 1)
    ```

    What is scaled, and by what, is the argument `power`:

    * `"batch"`: symbol by symbol, by the root of `P_i`, the mean of `mu_i^2 + sig_i^2` over the batch (over
      all axes but the last). The gradient flows through `P_i`. In inference `P_i` is the moving average that
      training left, so that an image alone is sent as it would be among others.
    * `"codeword"`: every codeword (every band of it) to the norm `sqrt(m)` of its `m` symbols, after `y` was
      drawn. `y` is then no longer Gaussian, and `mu` and `sig` merely carry its factor.
    * `"none"`: nothing; unit power is nominal, to be enforced by a divergence from N(0, 1). An ablation: look
      at `measured_snr`.

    #### Replicas

    `P_i` is over the replica's own part of a batch, as in batch normalisation; the moving averages of the
    replicas are averaged.

    #### What a channel provides

    A subclass implements `corrupt`, differentiable in `y` (the gradient of an encoder goes through it), and
    `capacity_bits`, infinite where nothing is known. The rate that training pays for is the encoder's divergence from
    the prior and needs nothing of the channel. A channel that bounds what its symbols carry says so in `rates`.
    """

    powers: tuple[str, ...] = ("batch", "codeword", "none")  # what `power` may be

    def __init__(self, power: str = "batch", bands: int = 1, decay: float = 0.99, **kwargs: Any) -> None:
        """Initialises the layer.

        Args:
          power: `str`, see above.
          bands: `int`, into how many equal parts a codeword is divided when `power="codeword"`.
          decay: `float` in [0, 1), of the moving average of the power when `power="batch"`.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible, or would have no effect.
        """
        super().__init__(**kwargs)
        self.power = choice(power, "power", self.powers)
        self.bands = positive_count(bands, "bands")
        self.decay = decay
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        if bands != 1 and power != "codeword":
            raise ValueError(f"bands={bands} are normalised by power='codeword' only, got power={power!r}")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
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

    def call(
        self,
        mu: tf.Tensor,
        log_sig: tf.Tensor | None = None,
        seed: tf.types.experimental.TensorLike | None = None,
        training: bool = False,
        eps: tf.Tensor | None = None,
        w: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Sends codewords.

        Args:
          mu: `[..., n]`, means of the channel's input, floating point.
          log_sig: `[..., n]`, logarithms of its standard deviations, or `None` for an encoder without noise.
          seed: int32 [2]; not needed where `eps` and `w` are given.
          training: `bool`, whether the power is that of the batch (which the moving average then follows).
          eps: `[..., n]`, standard normal noise of the encoder.
          w: `[..., n]`, noise of the channel, see its `corrupt`.

        Returns:
          dict of float32 (or float64) tensors: `"y"` and `"z"` `[..., n]`, sent and received; `"mu"` and
          `"sig"` `[..., n]` after normalisation (`sig` is 0 where `log_sig` is `None`).

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
            y = mu + sig * normal_noise(mu, eps, seed, _ENCODER, "eps")
        if self.power == "codeword":
            scale = self._codeword_scale(y)
            y, mu, sig = scale * y, scale * mu, scale * sig
        return {"y": y, "z": self._received(y, mu, seed, w), "mu": mu, "sig": sig}

    def rates(self, sent: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Upper bounds of what codewords say of the encoder's input, by name; a dict, empty where none is known.

        Of the names `"transmission_rate"`, of I(Y; Z), and `"source_rate"`, of I(X; Z); the section of the channel lists
        those that there are. Where there is no closed form, `tfcoded.channels.sampled_rate` estimates the first without
        bias.

        Args:
          sent: dict, as `call` returns it.

        Returns:
          dict of `[...]`, bits per codeword.
        """
        return {}

    def default_prior(self) -> SymbolPrior:
        """`GaussianPrior()`."""
        return GaussianPrior()

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "power": self.power, "bands": self.bands, "decay": self.decay}

    def _received(
        self, y: tf.Tensor, mu: tf.Tensor, seed: tf.types.experimental.TensorLike | None, w: tf.Tensor | None
    ) -> tf.Tensor:
        """What arrives of `y`, drawn around `mu`: for a channel whose noise depends on the latter."""
        return self.corrupt(y, seed, w)

    def _codeword_scale(self, y: tf.Tensor) -> tf.Tensor:
        """`[..., n]`, the factor of each symbol's band."""
        shape = tf.shape(y)
        bands = tf.reshape(y, tf.concat([shape[:-1], [self.bands, y.shape[-1] // self.bands]], axis=0))
        mean_square = tf.reduce_mean(tf.square(bands), axis=-1, keepdims=True)
        scale = tf.math.rsqrt(tf.maximum(mean_square, _FLOOR))
        return tf.reshape(tf.broadcast_to(scale, tf.shape(bands)), shape)

    def _symbol_power(self, mu: tf.Tensor, sig: tf.Tensor, training: bool) -> tf.Tensor:
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


def normal_noise(
    like: tf.Tensor, supplied: tf.Tensor | None, seed: tf.types.experimental.TensorLike | None, purpose: int, name: str
) -> tf.Tensor:
    """Standard normal noise of the shape and dtype of `like`, or that which was `supplied` as the argument `name`."""
    if supplied is not None:
        return as_reals(supplied, name, like=like)
    return standard_normal(like, derive(seed, purpose, name))
