"""Channels of bits: one flips them (hard or relaxed), one loses them and says which."""

import math
from typing import Any

import keras
import tensorflow as tf

from tfcoded.channels.capacity import (
    binary_symmetric_capacity,
    binary_symmetric_snr,
    erasure_capacity,
    keep_probability,
)
from tfcoded.channels.channel import CERTAIN, BitChannel, as_reals, choice, derive, positive, probability
from tfcoded.channels.prior import BinaryPrior, ErasedPrior, SymbolPrior
from tfcoded.codes import box_plus
from tfcoded.codes.bits import check_bits
from tfcoded.distributions import BinaryConcreteLogit
from tfcoded.utils.random import uniform

_NOISE = 0  # purpose of a seed


@keras.saving.register_keras_serializable(package="tfcoded")
class BinarySymmetricChannel(BitChannel):
    """Keeps every bit with probability `p_keep` and flips it otherwise.

    #### Mathematical details

    With `W` the event that a bit is kept, `Z = Y xnor W`; in signs, `z' = w' y'` for `v' = 2 v - 1`. Modes:

    * `"hard"`: `y` and `z` are bits (floating point or integers, zeros and ones). For evaluation, and for
      training with estimators that need `log P(z | x)` only: if an encoder sends a one with log-odds `l`, the
      bit that arrives has log-odds `received_logits(l)`.
    * `"relaxed"`: `y` and `z` are logits of relaxed bits, and so is `w`, a binary concrete variable of
      temperature `temperature`: `z = box_plus(y, w)`, which is the logit of `(w' y' + 1) / 2`. (Equation 21
      of the paper divides by `y'` where this multiplies: the same for bits; relaxed ones leave [0, 1].)
      Differentiable in `y`. The support of its density depends on `y`; do not put it into a divergence.
    * `"mixture"`: `y` and `z` are logits again, and `z` is binary concrete with the log-odds that a hard bit
      would have, `box_plus(y, logit(p_keep))`. Its density is positive everywhere.

    Both relaxations become the hard channel as the temperatures of `y` and of the channel go to 0.

    #### Example

    ```python
    channel = BinarySymmetricChannel(p_keep=0.9)
    received = channel(bits, seed=tf.constant([1, 2]))["z"]                  # a tenth of the bits flipped
    logits = code.soft_decode(channel.log_likelihood_ratio(received))       # of the information bits

    relaxed = BinarySymmetricChannel(p_keep=0.9, mode="relaxed")
    y = BinaryConcreteLogit(encoder(images), temperature=0.2).sample(seed=tf.constant([1, 2]))
    z = tf.sigmoid(relaxed(y, seed=tf.constant([3, 4]))["z"])               # in (0, 1)
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, appendix.
        https://arxiv.org/abs/2003.13367
    [2] Choi, Tatwawadi, Grover, Weissman, Ermon, Neural Joint Source-Channel Coding, 2019 (collapsed law).
        https://arxiv.org/abs/1811.07557
    """

    def __init__(
        self,
        p_keep: float | None = None,
        snr: float | None = None,
        mode: str = "hard",
        temperature: float = 0.1,
        **kwargs: Any,
    ) -> None:
        """Initialises the layer.

        Args:
          p_keep: `float` in [0, 1], probability that a bit arrives as it was sent.
          snr: instead of `p_keep`, the signal-to-noise ratio `(2p-1)^2 / (4p(1-p))`; makes a `p_keep > 1/2`.
          mode: `str`, "hard", "relaxed" or "mixture", see above.
          temperature: `float`, of the channel's relaxed bit; without effect when `mode="hard"`.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if not exactly one of `p_keep` and `snr` is given, or an argument is impossible.
        """
        super().__init__(**kwargs)
        if (p_keep is None) == (snr is None):
            raise ValueError(f"give exactly one of p_keep and snr, got p_keep={p_keep} and snr={snr}")
        if p_keep is None:
            p_keep = keep_probability(positive(snr, "snr"))  # type: ignore[assignment]
        self.p_keep = float(probability(p_keep, "p_keep"))
        self.mode = choice(mode, "mode", ("hard", "relaxed", "mixture"))
        self.temperature = float(positive(temperature, "temperature"))

    def call(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Sends bits.

        Args:
          y: `[..., n]`, bits when `mode="hard"`, and otherwise the logits of relaxed bits, floating point.
          seed: int32 [2]; not needed where `w` is given.
          w: `[..., n]`, the noise, of the type of `y`. "hard": 1 where a bit is kept, 0 where it is flipped.
            "relaxed": logit of that. "mixture": what is added to the log-odds before the division by the
            temperature, a logistic variable of location 0 and scale 1.

        Returns:
          dict with `"y"` and `"z"`, `[..., n]`, sent and received: both of the type of `y`.

        Raises:
          ValueError: if an argument has a wrong type or shape, a hard bit is neither 0 nor 1 (which is not looked at
            in a graph, where the values are unknown), or noise has to be drawn without a seed.
        """
        y = self._symbols(y)
        return {"y": y, "z": self.corrupt(y, seed, w)}

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The same as `call(y, seed, w)["z"]`: nothing is normalised. See `Channel.corrupt`."""
        y = self._symbols(y)
        if self.mode == "hard":
            if w is None:
                draws = uniform(1, tf.zeros_like(y, tf.float32), derive(seed, _NOISE, "w"))[0]
                kept = draws < self.p_keep
            else:
                kept = tf.cast(w, tf.bool)
            return tf.where(kept, y, 1 - y)
        logits = self._keep_logit if self.mode == "relaxed" else tf.zeros([], y.dtype)
        scale = self.temperature if self.mode == "relaxed" else 1.0
        if w is None:
            noise = BinaryConcreteLogit(tf.fill(tf.shape(y), tf.cast(logits, y.dtype)), scale)
            w = tf.ensure_shape(noise.sample(seed=derive(seed, _NOISE, "w")), y.shape)
        else:
            w = as_reals(w, "w", like=y)
        if self.mode == "relaxed":
            return box_plus(y, w)
        return (self.received_logits(y) + w) / self.temperature

    def log_prob(self, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Log-density of what was received given what was sent, in nats, bit by bit.

        Args:
          z: `[..., n]`, as `"z"` of `call`.
          y: `[..., n]`, as `"y"` of `call`, same type.

        Returns:
          float32 (or float64) `[..., n]`: log-probabilities of bits when `mode="hard"`; otherwise of the
          *logits* of the relaxed bits (for that of the bit `x = sigmoid(z)` subtract `log x + log(1 - x)`).
          "relaxed" is -inf outside of its support, `|z| < |y|`, and where rounding has made these equal.
        """
        y, z = self._symbols(y), self._symbols(z)
        if self.mode == "hard":
            logit = tf.constant(self._keep_logit, y.dtype if y.dtype.is_floating else tf.float32)
            return -tf.math.softplus(tf.where(tf.equal(y, z), -logit, logit))
        if self.mode == "mixture":
            return BinaryConcreteLogit(self.received_logits(y), self.temperature).log_prob(z)
        inside = tf.abs(z) < tf.abs(y)
        # Outside of the support a safe value takes the place, so that no gradient becomes NaN.
        size = tf.where(inside, tf.abs(y), 1)
        signed = tf.where(inside, tf.sign(y) * z, 0)
        # The noise is w = 2 artanh(tanh(z / 2) / tanh(y / 2)); of logits, tanh would round to one above 17.
        more, less = (size + signed) / 2, (size - signed) / 2
        w = _log_sinh(more) - _log_sinh(less)
        log_jacobian = tf.math.log((1 / tf.tanh(more) + 1 / tf.tanh(less)) / 2)
        noise = BinaryConcreteLogit(tf.constant(self._keep_logit, y.dtype), self.temperature)
        return tf.where(inside, noise.log_prob(w) + log_jacobian, tf.constant(-math.inf, y.dtype))

    def received_logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Log-odds that a one arrives if one is sent with log-odds `logits`: encoder and channel collapsed.

        With `a = sigmoid(logits)` and `f = 1 - p_keep`, the probability is `a - 2 a f + f`.

        Args:
          logits: `[..., n]`, floating point.

        Returns:
          `[..., n]`, same dtype (half precision widened).
        """
        logits = as_reals(logits, "logits")
        return box_plus(logits, tf.constant(self._keep_logit, logits.dtype))

    def log_likelihood_ratio(self, z: tf.Tensor) -> tf.Tensor:
        """What a received bit says about the one that was sent, `log P(z | 1) - log P(z | 0)`.

        Added to a bit's prior log-odds it makes those of the posterior; a soft decoder takes it as its input.

        Args:
          z: `[..., n]`, received bits, `mode="hard"` only.

        Returns:
          float32 (or float64) `[..., n]`: `logit(p_keep)` for a one and the negative of that for a zero, at
          most 100 in size.

        Raises:
          ValueError: if the mode is not "hard".
        """
        if self.mode != "hard":
            raise ValueError(f"hard bits have a likelihood ratio; the mode of this channel is {self.mode!r}")
        z = self._symbols(z)
        z = z if z.dtype.is_floating else tf.cast(z, tf.float32)
        return (2 * z - 1) * self._keep_logit

    def arrivals(
        self, logits: tf.Tensor, samples: int, seed: tf.types.experimental.TensorLike | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `BitChannel.arrivals`: bits of the log-odds `received_logits`."""
        draws, arriving = uniform(samples, logits, seed), self.received_logits(logits)
        words = tf.cast(draws < tf.sigmoid(arriving), draws.dtype)
        return tf.stop_gradient(words), -tf.math.softplus(-(2 * words - 1) * arriving)

    @property
    def relaxed(self) -> bool:  # type: ignore[override]
        """`bool`, whether symbols are logits of relaxed bits."""
        return self.mode != "hard"

    def hardened(self) -> BitChannel:
        """The channel of true bits that flips as often."""
        return BinarySymmetricChannel(self.p_keep, name="hard_channel") if self.relaxed else self

    @property
    def snr(self) -> float:
        """`float`, signal-to-noise ratio of the bits read as -1 and +1."""
        return float(binary_symmetric_snr(self.p_keep))

    @property
    def capacity_bits(self) -> float:
        """`float`, `1 - H2(p_keep)` bits per bit sent through the hard channel.

        A relaxed bit says more, by its size; it is hard bits that trained systems are measured with.
        """
        return float(binary_symmetric_capacity(self.p_keep))

    def default_prior(self) -> SymbolPrior:
        """`BinaryPrior`: fair bits, or logits of fair relaxed bits of this channel's temperature."""
        return BinaryPrior(None if self.mode == "hard" else self.temperature)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "p_keep": self.p_keep,
            "mode": self.mode,
            "temperature": self.temperature,
        }

    @property
    def _keep_logit(self) -> float:
        if self.p_keep in (0.0, 1.0):
            return CERTAIN if self.p_keep else -CERTAIN
        return min(CERTAIN, max(-CERTAIN, math.log(self.p_keep) - math.log1p(-self.p_keep)))

    def _symbols(self, value: tf.Tensor) -> tf.Tensor:
        if self.mode == "hard":
            value = tf.convert_to_tensor(value)
            value = value if value.dtype.is_integer else as_reals(value, "bits other than integers")
            check_bits(value, "BinarySymmetricChannel")
            return value
        return as_reals(value, "logits of relaxed bits")


def _log_sinh(x: tf.Tensor) -> tf.Tensor:
    """Of positive numbers, without the overflow of sinh."""
    return x + tf.math.log(-tf.math.expm1(-2 * x)) - math.log(2)


@keras.saving.register_keras_serializable(package="tfcoded")
class BinaryErasureChannel(BitChannel):
    """Erases every bit with probability `erase_prob`; the receiver sees 0, 1 or a mark, one-hot.

    If a one is sent with probability `a`, the three outcomes have probabilities
    `((1-e)(1-a), (1-e) a, e)`: `received_log_probs`. A relaxed bit in [0, 1] may be sent too: it arrives as
    `(1 - y, y, 0)`, with its gradient, or as `(0, 0, 1)`, without.

    #### Example

    ```python
    channel = BinaryErasureChannel(erase_prob=0.25)
    sent = channel(bits, seed=tf.constant([1, 2]))                          # bits: [128, 100]
    sent["z"]                                                               # [128, 100, 3]
    logits = code.soft_decode(channel.log_likelihood_ratio(sent["z"]))      # of the information bits
    ```

    #### References

    [1] Choi, Tatwawadi, Grover, Weissman, Ermon, Neural Joint Source-Channel Coding, 2019.
        https://arxiv.org/abs/1811.07557
    """

    symbol_rank = 1

    def __init__(self, erase_prob: float, **kwargs: Any) -> None:
        """Initialises the layer.

        Args:
          erase_prob: `float` in [0, 1], probability that a bit is lost.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if the probability is outside of [0, 1].
        """
        super().__init__(**kwargs)
        self.erase_prob = float(probability(erase_prob, "erase_prob"))

    def call(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Sends bits.

        Args:
          y: `[..., n]`, zeros and ones, floating point or integers; or relaxed bits in [0, 1].
          seed: int32 [2]; not needed where `w` is given.
          w: `[..., n]`, 1 (or True) where a bit gets through.

        Returns:
          dict with `"y"` `[..., n]`, `"z"` `[..., n, 3]`, one-hot (0, 1, erased), and `"keep"` `[..., n]`,
          which bits got through: float32, or float64 where `y` is.

        Raises:
          ValueError: if an argument has a wrong type, a bit is outside of [0, 1] (which is not looked at in a graph,
            where the values are unknown), or noise has to be drawn without a seed.
        """
        y = self._bits(y)
        keep = self._keep(y, seed, w)
        return {"y": y, "z": _one_hot(y, keep), "keep": keep}

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The same as `call(y, seed, w)["z"]`. See `Channel.corrupt`."""
        y = self._bits(y)
        return _one_hot(y, self._keep(y, seed, w))

    def values(self, z: tf.Tensor) -> tf.Tensor:
        """Zeros, ones, and a half for an erased bit. See `BitChannel.values`."""
        return z[..., 1] + 0.5 * z[..., 2]

    def log_prob(self, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Log-probability of what was received given what was sent, in nats, bit by bit.

        Args:
          z: `[..., n, 3]`, one-hot, as `"z"` of `call`.
          y: `[..., n]`, zeros and ones.

        Returns:
          `[..., n]`, of the dtype of `z`; -inf where a bit arrives as the other one.
        """
        z, y = as_reals(z, "z"), self._bits(y)
        arrives = tf.math.log1p(-tf.constant(self.erase_prob, z.dtype))
        same = tf.equal(z[..., 1], tf.cast(y, z.dtype))
        got = tf.where(same, arrives, tf.constant(-math.inf, z.dtype))
        return tf.where(z[..., 2] > 0.5, tf.math.log(tf.constant(self.erase_prob, z.dtype)), got)

    def arrivals(
        self, logits: tf.Tensor, samples: int, seed: tf.types.experimental.TensorLike | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `BitChannel.arrivals`: one draw decides whether a bit is erased, and which it is."""
        draws = uniform(samples, logits, seed)
        zero, one, erased = tf.unstack(self.received_log_probs(logits), axis=-1)
        is_erased = draws < self.erase_prob
        is_one = draws < self.erase_prob + tf.exp(one)
        words = tf.where(is_erased, 0.5, tf.cast(is_one, draws.dtype))
        return tf.stop_gradient(words), tf.where(is_erased, erased, tf.where(is_one, one, zero))

    def received_log_probs(self, logits: tf.Tensor) -> tf.Tensor:
        """Log-probabilities of the three outcomes, if a one is sent with log-odds `logits`.

        Args:
          logits: `[..., n]`, floating point.

        Returns:
          `[..., n, 3]`, same dtype (half precision widened): of 0, 1 and an erasure.
        """
        logits = as_reals(logits, "logits")
        e = tf.constant(self.erase_prob, logits.dtype)
        kept = tf.math.log1p(-e)
        erased = tf.fill(tf.shape(logits), tf.math.log(e))
        zero, one = -tf.math.softplus(logits), -tf.math.softplus(-logits)
        return tf.stack([kept + zero, kept + one, erased], axis=-1)

    def log_likelihood_ratio(self, z: tf.Tensor) -> tf.Tensor:
        """What a received symbol says about the bit that was sent, `log P(z | 1) - log P(z | 0)`.

        Args:
          z: `[..., n, 3]`, one-hot, as `"z"` of `call`.

        Raises:
          ValueError: if it is not.

        Returns:
          `[..., n]`: 0 where the bit was erased, 100 for a one and -100 for a zero. (The truth is infinite;
          exp(-100) is no doubt either, and sums of such numbers remain numbers.)
        """
        z = as_reals(z, "z")
        if z.shape.rank == 0 or z.shape[-1] not in (None, 3):
            raise ValueError(f"received symbols are one-hot, [..., 3]: 0, 1, erased; got {z.shape}")
        check_bits(z, "BinaryErasureChannel.log_likelihood_ratio", relaxed=True)
        return CERTAIN * (z[..., 1] - z[..., 0])

    @property
    def capacity_bits(self) -> float:
        """`float`, `1 - erase_prob` bits per bit sent."""
        return float(erasure_capacity(self.erase_prob))

    def default_prior(self) -> SymbolPrior:
        """`ErasedPrior()`: lost bits are erased ones."""
        return ErasedPrior()

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "erase_prob": self.erase_prob}

    def _bits(self, y: tf.Tensor) -> tf.Tensor:
        y = tf.convert_to_tensor(y)
        if y.dtype.is_integer:
            y = tf.cast(y, tf.float32)
        y = as_reals(y, "bits")
        check_bits(y, "BinaryErasureChannel", relaxed=True)
        return y

    def _keep(self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None, w: tf.Tensor | None) -> tf.Tensor:
        if w is not None:
            return tf.cast(w, y.dtype)
        return tf.cast(uniform(1, y, derive(seed, _NOISE, "w"))[0] >= self.erase_prob, y.dtype)


def _one_hot(y: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
    return tf.stack([keep * (1 - y), keep * y, 1 - keep], axis=-1)
