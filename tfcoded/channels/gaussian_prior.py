"""Independent standard normal symbols."""

import keras
import tensorflow as tf

from tfcoded.channels.prior import SymbolPrior
from tfcoded.distributions import standard_normal


@keras.saving.register_keras_serializable(package="tfcoded")
class GaussianPrior(SymbolPrior):
    """The prior N(0, 1) of every symbol: no weights, and what was received says nothing about what was lost.

    ```python
    prior = GaussianPrior()
    received = tf.zeros([2, 5, 20])                                        # 2 codewords of 5 bands
    prior.sample(received, keep=tf.zeros([2, 5], tf.bool), seed=(1, 2))    # [2, 5, 20]
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        4.1. https://arxiv.org/abs/2003.13367
    """

    def dist_params(self, context):
        """Mean 0 and log standard deviation 0, see `SymbolPrior.dist_params`."""
        return tf.zeros_like(context), tf.zeros_like(context)

    def sample(self, received, keep, seed):
        """Standard normal numbers, see `SymbolPrior.sample`."""
        return standard_normal(received, seed)
