"""The channel with additive Gaussian noise at a given signal-to-noise ratio."""

import math
from typing import Any

import keras
import tensorflow as tf

from tfcoded.channels.capacity import gaussian_capacity
from tfcoded.channels.channel import as_reals, choice, positive
from tfcoded.channels.rates import source_rate, transmission_rate
from tfcoded.channels.real import NOISE, RealChannel, normal_noise


@keras.saving.register_keras_serializable(package="tfcoded")
class GaussianChannel(RealChannel):
    """Normalises the power of a Gaussian code, draws it, and adds white Gaussian noise.

    #### Mathematical details

    ```none
    y_i = mu_i + sig_i eps_i        z_i = y_i + w_i / sqrt(snr)        eps, w ~ N(0, 1)
    ```

    where `mu` and `sig` have been normalised as the argument `power` says, see `RealChannel`. One more choice is

    * `"element"`: nothing is scaled, but the standard deviation of the noise is `|mu_i| / sqrt(snr)`, or with
      `reading="amplitude"` the `|mu_i| / snr` that the paper prints (equation 4), whose ratio of powers is
      `snr^2`. An ablation: noise that grows with the symbol itself does not limit the capacity. A code
      `y = exp(20 u)` carries `u` almost exactly at any ratio.

    At `snr = 1` the two readings agree.

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

    powers = (*RealChannel.powers, "element")

    def __init__(
        self,
        snr: float = 1.0,
        power: str = "batch",
        reading: str = "power",
        bands: int = 1,
        decay: float = 0.99,
        **kwargs: Any,
    ) -> None:
        """Initialises the layer.

        Args:
          snr: `float`, signal-to-noise ratio: linear, of powers. `snr_from_decibel` converts.
          power: `str`, "batch", "codeword", "none", see `RealChannel`, or "element", see above.
          reading: `str`, "power" or "amplitude": of the ratio when `power="element"`.
          bands: `int`, into how many equal parts a codeword is divided when `power="codeword"`.
          decay: `float` in [0, 1), of the moving average of the power when `power="batch"`.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible, or would have no effect.
        """
        super().__init__(power, bands, decay, **kwargs)
        self.snr = float(positive(snr, "snr"))
        self.reading = choice(reading, "reading", ("power", "amplitude"))
        if reading != "power" and power != "element":
            raise ValueError(f"reading={reading!r} is an ablation of power='element', got power={power!r}")

    def call(
        self,
        mu: tf.Tensor,
        log_sig: tf.Tensor | None = None,
        seed: tf.types.experimental.TensorLike | None = None,
        training: bool = False,
        eps: tf.Tensor | None = None,
        w: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Sends codewords, see `RealChannel.call`; `w` is standard normal.

        Returns:
          dict of that, and `"noise_std"`, a scalar, or `[..., n]` when `power="element"`.
        """
        sent = super().call(mu, log_sig, seed, training, eps, w)
        return {**sent, "noise_std": self._noise_std(sent["mu"])}

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Adds the channel's noise to `y : [..., n]`; `w` is standard normal. See `Channel.corrupt`.

        With `power="element"` the noise is proportional to `y`, all that a channel can know of; that of `call` is
        proportional to `mu`, as the paper has it. The two agree where the encoder has no noise of its own.
        """
        y = as_reals(y, "y")
        return y + self._noise_std(y) * normal_noise(y, w, seed, NOISE, "w")

    @property
    def capacity_bits(self) -> float:
        """`float`, `1/2 log2(1 + snr)` bits per symbol; infinite for `power="element"`."""
        return math.inf if self.power == "element" else float(gaussian_capacity(self.snr))

    def rates(self, sent: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """`transmission_rate` but where the noise follows the symbols, `source_rate` where power is no codeword's own."""
        bounds = {}
        if self.power != "element":
            bounds["transmission_rate"] = transmission_rate(sent)
        if self.power not in ("element", "codeword"):
            bounds["source_rate"] = source_rate(sent)
        return bounds

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "snr": self.snr, "reading": self.reading}

    def _received(
        self, y: tf.Tensor, mu: tf.Tensor, seed: tf.types.experimental.TensorLike | None, w: tf.Tensor | None
    ) -> tf.Tensor:
        return y + self._noise_std(mu) * normal_noise(y, w, seed, NOISE, "w")

    def _noise_std(self, level: tf.Tensor) -> tf.Tensor:
        if self.power != "element":
            return tf.constant(1 / math.sqrt(self.snr), level.dtype)
        ratio = math.sqrt(self.snr) if self.reading == "power" else self.snr
        return tf.abs(level) / ratio
