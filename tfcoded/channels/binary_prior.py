"""Independent fair bits, hard or relaxed."""

import keras
import tensorflow as tf

from tfcoded.channels._checks import positive
from tfcoded.channels.prior import SymbolPrior
from tfcoded.distributions import BinaryConcreteLogit
from tfcoded.distributions.truncated_exponential import uniform


@keras.saving.register_keras_serializable(package="tfcoded")
class BinaryPrior(SymbolPrior):
    """Fair bits, for codewords of bits; or the logits of fair relaxed bits, for codewords of logits.

    ```python
    BinaryPrior().sample(tf.zeros([2, 5, 20]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # zeros and ones
    BinaryPrior(temperature=0.1)                                                         # logits
    ```
    """

    def __init__(self, temperature=None, **kwargs):
        """Initialises the layer.

        Args:
          temperature: `None` for bits, or the temperature of the binary concrete distribution of the logits.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if the temperature is not positive.
        """
        super().__init__(**kwargs)
        self.temperature = None if temperature is None else float(positive(temperature, "temperature"))

    def sample(self, received, keep, seed):
        """Bits of the dtype of `received`, or logits, see `SymbolPrior.sample`."""
        if self.temperature is None:
            draws = uniform(1, tf.zeros_like(received, tf.float32), seed)[0]
            return tf.cast(draws < 0.5, received.dtype)
        return BinaryConcreteLogit(tf.zeros_like(received), self.temperature).sample(seed=seed)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "temperature": self.temperature}
