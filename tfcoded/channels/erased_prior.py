"""Lost symbols that are known to be lost."""

import keras
import tensorflow as tf

from tfcoded.channels.prior import SymbolPrior


@keras.saving.register_keras_serializable(package="tfcoded")
class ErasedPrior(SymbolPrior):
    """Fills in the mark of an erasure, the last of the classes of a one-hot symbol, with certainty.

    What a receiver of `BinaryErasureChannel` sees where a band did not get through.

    ```python
    ErasedPrior().sample(tf.zeros([2, 5, 20, 3]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # all [0, 0, 1]
    ```
    """

    def sample(self, received, keep, seed):
        """One-hot symbols `[..., T, m, classes]`, see `SymbolPrior.sample`; the seed is not used."""
        classes = received.shape[-1]
        return tf.broadcast_to(tf.one_hot(classes - 1, classes, dtype=received.dtype), tf.shape(received))
