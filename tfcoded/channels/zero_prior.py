"""Lost symbols as zeros."""

import keras
import tensorflow as tf

from tfcoded.channels.prior import SymbolPrior


@keras.saving.register_keras_serializable(package="tfcoded")
class ZeroPrior(SymbolPrior):
    """Fills in zeros, with certainty: for a Gaussian code the mean of what was lost.

    ```python
    ZeroPrior().sample(tf.ones([2, 5, 20]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # zeros [2, 5, 20]
    ```
    """

    def sample(self, received, keep, seed):
        """Zeros, see `SymbolPrior.sample`; the seed is not used."""
        return tf.zeros_like(received)
