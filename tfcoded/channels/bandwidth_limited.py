"""The channel through which only the first bands of a codeword get."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcoded.channels._wrapper import LOSS, Wrapper
from tfcoded.channels.channel import Channel, choice, derive, positive_count, probability
from tfcoded.channels.prior import SymbolPrior
from tfcoded.channels.real import RealChannel
from tfcoded.utils.random import uniform


@keras.saving.register_keras_serializable(package="tfcoded")
class BandwidthLimitedChannel(Wrapper):
    """Sends a codeword of `bands` bands through a channel; the first `B` arrive, a prior fills in the others.

    #### Mathematical details

    A codeword of `n = T m` symbols is seen as `T` bands of `m`. The bandwidth `B` in 0..T is random, drawn
    independently of the data, and

    ```none
    C(z | y) = sum_B P(B) prod_{t <= B} C(z_t | y_t) prod_{t > B} P_prior(z_t | z_1 .. z_{t-1})
    ```

    (in equation 5 of the paper the second product starts at `t = B`: that band would be both sent and lost).
    The prior sees what the receiver sees: the bands received, and nothing of the others.

    `B` is marginalised in one of two ways, both without bias for the mean of a loss over `B`:

    * `marginalise="mc"`: one `B` per codeword is drawn from P(B).
    * `marginalise="complete"`: the batch is repeated for every `B` of positive probability, in ascending
      order: `[K b, ...]`, to be decoded in one call. What was sent and the noise are shared, the filler is
      fresh. `average` makes one loss per codeword of those of the copies.

    `call(..., bands=2)` forces a bandwidth, for evaluation. No gradient reaches P(B).

    #### Example

    ```python
    channel = BandwidthLimitedChannel(GaussianChannel(snr=1.0), bands=5, marginalise="complete")
    sent = channel(mu, log_sig, seed=tf.constant([1, 2]), training=True)      # mu, log_sig: [128, 100]
    images = decoder(sent["decoder_input"])                                   # [5 * 128, 100] -> images
    errors = tf.reduce_sum((images - tf.tile(x, [5, 1, 1, 1])) ** 2, axis=[1, 2, 3])   # [5 * 128]
    loss = tf.reduce_mean(channel.average(errors, sent["weights"]))           # of [128]
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        4.1. https://arxiv.org/abs/2003.13367
    """

    def __init__(
        self,
        channel: Channel,
        bands: int = 5,
        probabilities: Sequence[float] | None = None,
        marginalise: str = "mc",
        prior: SymbolPrior | None = None,
        fill_noise: str = "none",
        filler_grad: bool = False,
        reveal_bands: bool = False,
        **kwargs: Any,
    ) -> None:
        """Initialises the layer.

        Args:
          channel: `Channel` that the bands pass.
          bands: `int`, T, the number of bands; must divide the number of symbols.
          probabilities: P(B) for B = 0, 1 .. T, a sequence of T + 1 numbers; `None` is uniform on 1 .. T.
          marginalise: `str`, "mc" or "complete", see above.
          prior: `SymbolPrior` of the lost bands; `None` is `channel.default_prior()`.
          fill_noise: `str`: "none" puts a sample of the prior where a received band would be (the paper's
            way); "channel" sends it through the channel's noise first, so that filler and received bands have
            one marginal law if the prior is that of what was sent. (A prior that goes on from its own samples,
            as `BandDrawPrior`, goes on from them without the noise either way, while it learns from bands with
            it: at a low signal-to-noise ratio its later bands vary too little.)
          filler_grad: `bool`, whether gradients pass through the filler into the prior and the bands
            received. Without them a distortion cannot make the prior a point estimate.
          reveal_bands: `bool`, whether the decoder is told which bands were received.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible.
        """
        super().__init__(channel, prior, fill_noise, filler_grad, **kwargs)
        self.bands = positive_count(bands, "bands")
        self.probabilities = _distribution(probabilities, self.bands)
        self.marginalise = choice(marginalise, "marginalise", ("mc", "complete"))
        self.reveal_bands = reveal_bands
        # Per-codeword power over all bands together could be moved into the first ones.
        if isinstance(channel, RealChannel) and channel.power == "codeword" and channel.bands != bands:
            raise ValueError(
                f"every band must obey the power constraint: the channel normalises {channel.bands} bands"
                f" of a codeword, expected {type(channel).__name__}(power='codeword', bands={bands})"
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds the channel inside and the prior."""
        if len(input_shape) and input_shape[-1] is not None and input_shape[-1] % self.bands:
            raise ValueError(f"{input_shape[-1]} symbols cannot be divided into {self.bands} equal bands")
        self._build(input_shape, self.bands)

    def call(
        self,
        y: tf.Tensor,
        log_sig: tf.Tensor | None = None,
        seed: tf.types.experimental.TensorLike | None = None,
        training: bool = False,
        bands: tf.types.experimental.TensorLike | None = None,
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
          bands: `None`, or the number of bands that get through: an integer, or an integer tensor that
            broadcasts to one per codeword, `[...]`. Nothing is marginalised then.
          filler: what takes the place of lost bands, of the shape of `"z"`, instead of samples of the prior.
          eps: noise for the channel inside, where it has such an argument.
          w: noise for the channel inside.

        Returns:
          dict: what the channel inside returns, but `"z"` is what the receiver sees, `[N, ..., n]`, where
          `N = K b` with `marginalise="complete"` and `b` otherwise. Further, in place of entries of the same
          names of the channel inside,
          `"received"` `[b, ..., n]`, all bands as they would have been received;
          `"keep"` `[N, ..., T]`, 1 where a band was received; `"bands"` int32 `[N, ...]`;
          `"weights"` `[K]` of the copies, for `average`, `[1]` where there is one;
          `"decoder_input"`: `"z"`, and with `reveal_bands` `"keep"` behind it on the last axis.

        Raises:
          ValueError: if an argument has a wrong type or shape, or something has to be drawn without a seed.
        """
        sent = self._send(y, seed, log_sig=log_sig, eps=eps, w=w)
        received = sent["z"]
        symbols_axis = sent["y"].shape.rank - 1
        batch = tf.shape(sent["y"])[:-1]
        visible, weights = received, np.ones(1)
        if bands is not None:
            bands = self._forced(bands, batch)
        elif self.marginalise == "mc":
            bands = self._draw(batch, seed)
        else:
            support = np.flatnonzero(self.probabilities)
            weights = np.asarray(self.probabilities)[support]
            visible = tf.concat([received] * len(support), axis=0)
            bands = tf.concat([tf.fill(batch, tf.constant(b, tf.int32)) for b in support], axis=0)
        bands = tf.ensure_shape(bands, visible.shape[:symbols_axis])
        return {
            **sent,
            **self._seen(visible, bands, seed, filler),
            "received": received,
            "weights": tf.constant(weights, tf.float64 if received.dtype == tf.float64 else tf.float32),
        }

    def receive(
        self,
        received: tf.Tensor,
        bands: tf.types.experimental.TensorLike,
        seed: tf.types.experimental.TensorLike | None = None,
        filler: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """The end of the channel alone: fills in, in symbols that have come through the channel inside.

        Args:
          received: `[..., n]`, or `[..., n, c]` of symbols that are vectors, with at least one batch axis: as
            `"received"` of `call` or what `corrupt` returns.
          bands: how many bands got through, see `call`. What `received` says of the others is not looked at.
          seed: int32 [2]; not needed where the filler is given.
          filler: see `call`.

        Returns:
          dict of `"z"`, `"keep"`, `"bands"` and `"decoder_input"`, see `call`, of one copy.

        Raises:
          ValueError: see `call`.
        """
        received = tf.convert_to_tensor(received)
        axes = received.shape.rank - 1 - self.symbol_rank
        bands = tf.ensure_shape(self._forced(bands, tf.shape(received)[:axes]), received.shape[:axes])
        return self._seen(received, bands, seed, filler)

    @staticmethod
    def average(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Mean over the bandwidths of what was computed for every copy of every codeword.

        Args:
          values: `[K b, ...]`, for example losses; the copies as `call` makes them.
          weights: `[K]`, `"weights"` of `call`.

        Returns:
          `[b, ...]`; `values` itself where there is one copy.
        """
        copies = weights.shape[0]
        if copies == 1:
            return values
        shape = tf.concat([[copies, tf.shape(values)[0] // copies], tf.shape(values)[1:]], axis=0)
        return tf.tensordot(tf.cast(weights, values.dtype), tf.reshape(values, shape), axes=1)

    @property
    def capacity_bits(self) -> float:
        """`float`, bits per symbol: the mean of `B / T` times the capacity of the channel inside."""
        mean = np.dot(np.arange(self.bands + 1), self.probabilities) / self.bands
        return float(mean * self.channel.capacity_bits)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "bands": self.bands,
            "probabilities": list(self.probabilities),
            "marginalise": self.marginalise,
            "reveal_bands": self.reveal_bands,
        }

    def _seen(
        self,
        visible: tf.Tensor,
        bands: tf.Tensor,
        seed: tf.types.experimental.TensorLike | None,
        filler: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        """What the receiver sees of the symbols `visible` if `bands` get through, a dict."""
        keep = tf.range(self.bands) < bands[..., tf.newaxis]
        z = self._fill(visible, keep, seed, filler)
        dtype = z.dtype if z.dtype.is_floating else tf.float32
        keep = tf.cast(keep, dtype)
        decoder_input = z
        if self.reveal_bands:
            if z.shape.rank != keep.shape.rank:
                raise ValueError("reveal_bands needs symbols that are numbers; here each one is a vector")
            decoder_input = tf.concat([tf.cast(z, dtype), keep], axis=-1)
        return {"z": z, "keep": keep, "bands": bands, "decoder_input": decoder_input}

    def _forced(self, bands: tf.types.experimental.TensorLike, batch: tf.Tensor) -> tf.Tensor:
        bands = tf.convert_to_tensor(bands)
        if not bands.dtype.is_integer:
            raise ValueError(f"bands must be integers, got {bands.dtype.name}")
        known = tf.get_static_value(bands)  # not inside of a tf.function
        if known is not None and not np.all((0 <= known) & (known <= self.bands)):
            raise ValueError(f"bands must lie in [0, {self.bands}], got {known}")
        return tf.broadcast_to(tf.cast(bands, tf.int32), batch)

    def _draw(self, batch: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """One bandwidth per codeword, by the inverse of the distribution function."""
        draws = uniform(1, tf.zeros(batch), derive(seed, LOSS, "bands"))[0]
        # Up to rounding of float64 the last sum is 1, in float32 exactly; the draws are less.
        above = draws[..., tf.newaxis] >= tf.constant(np.cumsum(self.probabilities), tf.float32)
        return tf.reduce_sum(tf.cast(above, tf.int32), axis=-1)


def _distribution(probabilities: Sequence[float] | None, bands: int) -> tuple[float, ...]:
    if probabilities is None:
        return (0.0,) + (1 / bands,) * bands
    array = probability(probabilities, "probabilities")
    if array.shape != (bands + 1,) or abs(array.sum() - 1) > 1e-6:
        raise ValueError(
            f"probabilities must be P(B) for B = 0 .. {bands}, {bands + 1} numbers that sum to 1, got {probabilities}"
        )
    return tuple(float(p) for p in array / array.sum())
