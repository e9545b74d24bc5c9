"""What every channel offers, and the checks and conversions that channels share."""

import numbers
import typing
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcoded.utils import seeds
from tfcoded.utils.random import uniform

if typing.TYPE_CHECKING:
    from tfcoded.channels.prior import SymbolPrior

# The largest log-odds that a channel without noise is given: exp(-100) of doubt, and no infinity whose sums
# and differences would not be numbers.
CERTAIN = 100.0

_BITS, _ARRIVALS = 10, 11  # purposes of seeds


class Channel(keras.layers.Layer):
    """A memoryless noisy channel: a Keras layer from symbols sent to symbols received.

    Nothing in a channel is trained. A call returns a dict of tensors, among them `"y"`, what was sent (after
    any normalisation), and `"z"`, what was received. Further entries are each channel's own.

    Subclasses implement `call`, `corrupt`, `default_prior`, `capacity_bits` and `get_config`. Where a received symbol is
    a vector, `symbol_rank` is 1.

    #### Randomness

    All noise follows from the argument `seed`, int32 [2]; a channel holds no generator. The same seed gives
    the same noise in eager mode, in a `tf.function` and under XLA, up to rounding. Hence two replicas of a
    distributed training would draw the same noise from the same seed: derive one for each,

    ```python
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    seed = tfcoded.utils.seeds.derive(run_seed, tfcoded.utils.seeds.TRAIN, step, replica)
    ```

    Every draw can also be given from outside, by an argument of `call`; then nothing is drawn in its place.

    #### Precision

    Symbols are float32, or float64 where the input is, whatever the dtype policy: half-precision input is
    widened and never narrowed again. The next layer casts to its own compute type.
    """

    symbol_rank = 0  # of one received symbol: `"z"` is [..., n] and, behind it, as many axes

    def __init__(self, **kwargs: Any) -> None:
        """Initialises the layer.

        Args:
          **kwargs: of `keras.layers.Layer`: `name`, `dtype`, `trainable`.
        """
        # Autocasting would round the symbols to half precision before they are normalised.
        super().__init__(autocast=False, **kwargs)

    @property
    def capacity_bits(self) -> float:
        """`float`, capacity in bits per symbol."""
        raise NotImplementedError

    def corrupt(
        self, y: tf.Tensor, seed: tf.types.experimental.TensorLike | None = None, w: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Sends symbols as they are: the conditional law C(z|y) alone, without normalisation.

        Args:
          y: `[..., n]`, symbols.
          seed: int32 [2], or `None` if the noise is given.
          w: the noise, as the argument of the same name of `call`.

        Returns:
          The received symbols, as `"z"` of `call`.
        """
        raise NotImplementedError

    def default_prior(self) -> "SymbolPrior":
        """The `SymbolPrior` that fills in lost symbols of this channel when no other was named."""
        raise NotImplementedError


class BitChannel(Channel):
    """Base of channels of bits, which `tfcoded.models.BinaryJointModel` trains through and soft decoders follow.

    #### What a channel provides

    Beside what every `Channel` does, a subclass implements `log_prob`, of single bits; where the symbols received are
    not numbers in [0, 1], also `values`. An encoder of true bits is then trained by REINFORCE on the law of what
    arrives, which the base collapses exactly: `q(z|x) = sum_y q(y|x) C(z|y)`, bit by bit. A channel may have its own
    form of it, `arrivals`. One whose training sends relaxed bits with an ordinary gradient instead says so by `relaxed`
    and gives the channel of true bits as `hardened`.
    """

    relaxed = False  # whether symbols are logits of relaxed bits, with a gradient

    def hardened(self) -> "BitChannel":
        """The channel of true bits over which a trained system sends: this one, where it is one."""
        return self

    def values(self, z: tf.Tensor) -> tf.Tensor:
        """Symbols received as numbers in [0, 1], `[..., n]`: what a decoder is given, a half where nothing is known."""
        return z

    def log_prob(self, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Log-probability of what was received, `z` as `"z"` of `call`, given the bits sent, `y : [..., n]`.

        Returns:
          `[..., n]`, nats; -inf where it cannot be.
        """
        raise NotImplementedError

    def log_likelihood_ratio(self, z: tf.Tensor) -> tf.Tensor:
        """What received symbols say about the bits sent, `log P(z | 1) - log P(z | 0)`, at most `CERTAIN` in size.

        Added to a bit's prior log-odds it makes those of the posterior; a soft decoder takes it as its input.

        Args:
          z: as `"z"` of `call`.

        Returns:
          `[..., n]`, float32 (or float64).
        """
        one, zero = self._both(z)
        return tf.clip_by_value(tf.where(tf.equal(one, zero), tf.zeros_like(one), one - zero), -CERTAIN, CERTAIN)

    def arrivals(
        self, logits: tf.Tensor, samples: int, seed: tf.types.experimental.TensorLike | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Words as they arrive, drawn of the collapsed law of encoder and channel.

        Args:
          logits: `[b, n]`, log-odds of the bits that are sent, tf.float32.
          samples: `int`, words for each row.
          seed: int32 [2].

        Returns:
          Pair of tf.float32 `[samples, b, n]`: words as `values` has them, without a gradient, and the log-probability
          of every symbol, differentiable in `logits`.
        """
        y = tf.cast(uniform(samples, logits, derive(seed, _BITS, "")) < tf.sigmoid(logits), logits.dtype)
        z = self.corrupt(y, derive(seed, _ARRIVALS, ""))
        one, zero = self._both(z)
        log_q = tf.stack([one - tf.math.softplus(-logits), zero - tf.math.softplus(logits)])
        return tf.stop_gradient(self.values(z)), tf.reduce_logsumexp(log_q, axis=0)

    def _both(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Log-probabilities of `z` given ones, and given zeros."""
        ones = tf.ones_like(self.values(z))
        return self.log_prob(z, ones), self.log_prob(z, tf.zeros_like(ones))


def positive(value: Any, name: str) -> np.ndarray:
    """`value` as float64, all of it positive and finite."""
    array = _numeric(value, name)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return array


def probability(value: Any, name: str) -> np.ndarray:
    """`value` as float64, all of it in [0, 1]."""
    array = _numeric(value, name)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    return array


def positive_count(value: int, name: str) -> int:
    """`value` as a positive `int`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def choice(value: str, name: str, choices: Sequence[str]) -> str:
    """`value`, which must be one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def as_reals(value: tf.types.experimental.TensorLike, name: str, like: tf.Tensor | None = None) -> tf.Tensor:
    """Converts real symbols to float32, or to float64 where they are; half precision is widened.

    Args:
      value: floating-point tensor.
      name: `str`, what an error message calls it.
      like: tensor whose dtype the result has and whose shape it must have, or `None`.

    Raises:
      ValueError: if `value` is not floating point, or has not the shape of `like`.
    """
    value = tf.convert_to_tensor(value)
    if not value.dtype.is_floating:
        raise ValueError(f"{name} must be real numbers in floating point, got {value.dtype.name}")
    if like is not None:
        if not value.shape.is_compatible_with(like.shape):
            raise ValueError(f"{name} must have the shape {like.shape} of the symbols, got {value.shape}")
        return tf.cast(value, like.dtype)
    return value if value.dtype in (tf.float32, tf.float64) else tf.cast(value, tf.float32)


def derive(seed: tf.types.experimental.TensorLike | None, purpose: int, supplied: str) -> tf.Tensor:
    """The seed of one draw; `supplied` says by which argument the draw could have been given instead.

    Raises:
      ValueError: if there is no seed, or it is neither an integer nor int32 [2], see `tfcoded.utils.seeds.derive`.
    """
    if seed is None:
        raise ValueError(
            f"the channel draws random numbers and was given no seed; pass seed= (int32 [2],"
            f" see tfcoded.utils.seeds.derive), or the draw itself as {supplied}="
        )
    return seeds.derive(seed, purpose)


def _numeric(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
