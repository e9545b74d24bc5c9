"""What every channel offers."""

import keras


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
