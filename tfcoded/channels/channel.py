"""What every channel offers, and the checks and conversions that channels share."""

import numbers

import keras
import numpy as np
import tensorflow as tf

from tfcoded.utils import seeds


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

    def __init__(self, **kwargs):
        """Initialises the layer.

        Args:
          **kwargs: of `keras.layers.Layer`: `name`, `dtype`, `trainable`.
        """
        # Autocasting would round the symbols to half precision before they are normalised.
        super().__init__(autocast=False, **kwargs)

    @property
    def capacity_bits(self):
        """`float`, capacity in bits per symbol."""
        raise NotImplementedError

    def corrupt(self, y, seed=None, w=None):
        """Sends symbols as they are: the conditional law C(z|y) alone, without normalisation.

        Args:
          y: `[..., n]`, symbols.
          seed: int32 [2], or `None` if the noise is given.
          w: the noise, as the argument of the same name of `call`.

        Returns:
          The received symbols, as `"z"` of `call`.
        """
        raise NotImplementedError

    def default_prior(self):
        """The `SymbolPrior` that fills in lost symbols of this channel when no other was named."""
        raise NotImplementedError


def positive(value, name):
    """`value` as float64, all of it positive and finite."""
    array = _numeric(value, name)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return array


def probability(value, name):
    """`value` as float64, all of it in [0, 1]."""
    array = _numeric(value, name)
    if not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    return array


def positive_count(value, name):
    """`value` as a positive `int`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def choice(value, name, choices):
    """`value`, which must be one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def as_reals(value, name, like=None):
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


def derive(seed, purpose, supplied):
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


def _numeric(value, name):
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
