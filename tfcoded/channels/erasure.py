"""The channel that loses single symbols of another channel."""

from typing import Any

import keras
import tensorflow as tf

from tfcoded.channels._wrapper import CHANNEL, LOSS, Wrapper
from tfcoded.channels.capacity import erasure_capacity
from tfcoded.channels.channel import Channel, derive, probability
from tfcoded.channels.prior import SymbolPrior, ZeroPrior
from tfcoded.utils.random import uniform


@keras.saving.register_keras_serializable(package="tfcoded")
class ErasureChannel(Wrapper):
    """Sends symbols through a channel and erases each with probability `erase_prob`.

    `z = keep z' + (1 - keep) fill`, where `z'` comes out of the channel inside, and `fill` is zero or a
    sample of a prior. The bandwidth-limited channel is this one with the erasures at the end of a codeword.
    Bits whose erasure is visible have a channel of their own, `BinaryErasureChannel`.

    #### Example

    ```python
    channel = ErasureChannel(GaussianChannel(snr=1.0), erase_prob=0.25)
    sent = channel(mu, log_sig, seed=tf.constant([1, 2]), training=True)     # mu, log_sig: [128, 100]
    decoder(tf.concat([sent["z"], sent["keep"]], axis=-1))                   # a decoder that knows which
    ```
    """

    def __init__(
        self,
        channel: Channel,
        erase_prob: float,
        prior: SymbolPrior | None = None,
        fill_noise: str = "none",
        filler_grad: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initialises the layer.

        Args:
          channel: `Channel` that the symbols pass.
          erase_prob: `float` in [0, 1], probability that a symbol is lost.
          prior: `SymbolPrior` of the lost symbols, which are bands of one symbol to it; `None` is
            `ZeroPrior()`.
          fill_noise: `str`, "none", or "channel" to send filler through the channel's noise.
          filler_grad: `bool`, whether gradients pass through the filler.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible.
        """
        prior = ZeroPrior() if prior is None else prior
        super().__init__(channel, prior, fill_noise, filler_grad, **kwargs)
        self.erase_prob = float(probability(erase_prob, "erase_prob"))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds the channel inside and the prior."""
        self._build(input_shape, input_shape[-1] if len(input_shape) else None)  # type: ignore[arg-type]  # which it looks at

    def call(
        self,
        y: tf.Tensor,
        log_sig: tf.Tensor | None = None,
        seed: tf.types.experimental.TensorLike | None = None,
        training: bool = False,
        keep: tf.Tensor | None = None,
        filler: tf.Tensor | None = None,
        eps: tf.Tensor | None = None,
        w: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Sends codewords.

        Args:
          y: `[..., n]` with at least one batch axis, the first argument of the channel inside.
          log_sig: second argument of the channel inside, where it has one.
          seed: int32 [2]; not needed where everything random is given.
          training: `bool`, for the channel inside.
          keep: `[..., n]`, 1 (or True) where a symbol gets through; `None` to draw it.
          filler: what takes the place of lost symbols, of the shape of `"z"`.
          eps: noise for the channel inside, where it has such an argument.
          w: noise for the channel inside.

        Returns:
          dict: what the channel inside returns, but `"z"` is what the receiver sees, `[..., n]`. Further
          `"received"` `[..., n]`, all symbols as they would have been received, and `"keep"` `[..., n]`, 1
          where one was.

        Raises:
          ValueError: if an argument has a wrong type or shape, or something has to be drawn without a seed.
        """
        sent = self._send(y, seed, log_sig=log_sig, eps=eps, w=w)
        if keep is None:
            keep = self._draw(sent["y"], seed)
        else:
            keep = tf.broadcast_to(tf.cast(keep, tf.bool), tf.shape(sent["y"]))
        keep = tf.ensure_shape(keep, sent["y"].shape)
        z = self._fill(sent["z"], keep, seed, filler)
        kept = tf.cast(keep, z.dtype if z.dtype.is_floating else tf.float32)
        return {**sent, "z": z, "received": sent["z"], "keep": kept}

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Symbols through the channel inside, some of them lost. See `Channel.corrupt`; `w` is of the channel inside."""
        y = tf.convert_to_tensor(y)
        received = self.channel.corrupt(y, None if seed is None else derive(seed, CHANNEL, ""), w)
        return self._fill(received, self._draw(y, seed), seed, None)

    @property
    def capacity_bits(self) -> float:
        """`float`, bits per symbol, `1 - erase_prob` times the capacity of the channel inside."""
        return float(erasure_capacity(self.erase_prob, self.channel.capacity_bits))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "erase_prob": self.erase_prob}

    def _draw(self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """Which symbols get through, tf.bool like `y`."""
        draws = uniform(1, tf.zeros_like(y, tf.float32), derive(seed, LOSS, "keep"))[0]
        return tf.ensure_shape(draws >= self.erase_prob, y.shape)
