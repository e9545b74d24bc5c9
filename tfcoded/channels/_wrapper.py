"""What the channels that lose symbols of another channel have in common."""

import inspect
from typing import Any, Self

import keras
import tensorflow as tf

from tfcoded.channels.channel import Channel, derive
from tfcoded.channels.prior import SymbolPrior

CHANNEL, LOSS, FILLER, FILLER_NOISE = range(4)  # purposes of seeds


class Wrapper(Channel):
    """A channel that sends symbols through another one, loses some and fills in samples of a prior.

    Subclasses implement `call` and use `_send`, then `_fill`.
    """

    def __init__(
        self, channel: Channel, prior: SymbolPrior | None, fill_noise: str, filler_grad: bool, **kwargs: Any
    ) -> None:
        """Checks and stores what the subclasses document; `prior=None` is `channel.default_prior()`."""
        super().__init__(**kwargs)
        if not isinstance(channel, Channel):
            raise ValueError(f"channel must be a tfcoded.channels.Channel, got {channel!r}")
        if prior is None:
            prior = channel.default_prior()
        if not isinstance(prior, SymbolPrior):
            raise ValueError(f"prior must be a tfcoded.channels.SymbolPrior, got {prior!r}")
        if fill_noise not in ("none", "channel"):
            raise ValueError(f"fill_noise must be 'none' or 'channel', got {fill_noise!r}")
        self.channel = channel
        self.prior = prior
        self.fill_noise = fill_noise
        self.filler_grad = filler_grad

    def _build(self, input_shape: tuple[int | None, ...], bands: int) -> None:
        """Builds the channel inside and the prior, the latter for codewords of `bands` bands."""
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(f"codewords must be [..., n] with a batch axis and a known n, got {input_shape}")
        if not self.channel.built:
            self.channel.build(input_shape)
        if not self.prior.built:
            self.prior.build((None, bands, input_shape[-1] // bands))

    def _send(
        self, inputs: tf.Tensor, seed: tf.types.experimental.TensorLike | None, **options: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Everything through the channel inside; its dict."""
        options = {name: value for name, value in options.items() if value is not None}
        known = inspect.signature(self.channel.call).parameters
        for name in options:
            if name not in known:
                raise ValueError(f"the channel inside, {type(self.channel).__name__}, takes no {name}")
        # The channel inside says itself whether it misses a seed.
        return self.channel(inputs, seed=None if seed is None else derive(seed, CHANNEL, ""), **options)

    def _fill(
        self,
        received: tf.Tensor,
        keep: tf.Tensor,
        seed: tf.types.experimental.TensorLike | None,
        filler: tf.Tensor | None,
    ) -> tf.Tensor:
        """Puts filler in the place of lost bands.

        Args:
          received: `[..., n]`, or `[..., n, c]` of symbols that are vectors.
          keep: `[..., T]`, tf.bool.
          seed: int32 [2] or `None`.
          filler: tensor like `received`, or `None` for a sample of the prior.

        Returns:
          The symbols that the receiver sees, like `received`.
        """
        vector = list(received.shape[keep.shape.rank :])
        if vector and self.fill_noise == "channel":
            raise ValueError(
                f"fill_noise='channel' sends filler through {type(self.channel).__name__}, whose output is"
                f" not of the kind of its input; use fill_noise='none'"
            )
        bands = keep.shape[-1]
        band = received.shape[keep.shape.rank - 1] // bands
        by_band = tf.reshape(received, tf.concat([tf.shape(keep), [band], vector], axis=0))
        mask = tf.reshape(keep, tf.concat([tf.shape(keep), [1] * (1 + len(vector))], axis=0))
        if filler is None:
            # The receiver's own view: nothing of what was lost can reach the filler.
            seen = tf.where(mask, by_band, tf.zeros([], by_band.dtype))
            filler = self.prior.sample(seen, keep, derive(seed, FILLER, "filler"))
            if self.fill_noise == "channel":
                noisy = self.channel.corrupt(
                    tf.reshape(filler, tf.shape(received)), derive(seed, FILLER_NOISE, "filler")
                )
                filler = tf.reshape(noisy, tf.shape(by_band))
            if not self.filler_grad:
                filler = tf.stop_gradient(filler)
        else:
            filler = tf.reshape(tf.cast(filler, received.dtype), tf.shape(by_band))
        z = tf.reshape(tf.where(mask, by_band, filler), tf.shape(received))
        return tf.ensure_shape(z, received.shape)

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Symbols through the channel inside; this one loses none. See `Channel.corrupt`."""
        return self.channel.corrupt(y, seed, w)

    @property
    def symbol_rank(self) -> int:  # type: ignore[override]
        """That of the channel inside."""
        return self.channel.symbol_rank

    def default_prior(self) -> SymbolPrior:
        """That of the channel inside."""
        return self.channel.default_prior()

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor; the channel and the prior as Keras serialises them."""
        return {
            **super().get_config(),
            "channel": keras.saving.serialize_keras_object(self.channel),
            "prior": keras.saving.serialize_keras_object(self.prior),
            "fill_noise": self.fill_noise,
            "filler_grad": self.filler_grad,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer whose `get_config` is `config`."""
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("channel", "prior")}
        return cls(**{**config, **parts})
