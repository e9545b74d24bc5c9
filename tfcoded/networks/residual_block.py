"""A residual block that starts as the identity."""

import keras
import tensorflow as tf

from tfcoded.networks.stock_layers import convolution


class ResidualBlock(keras.layers.Layer):
    """`x + a conv(relu(conv(relu(x))))`, 3x3, `[b, h, w, channels]` to the same; the scalar `a` starts at 0.

    There is no batch normalisation: in a network in front of or behind a channel it would carry statistics of
    the batch past the channel.

    ```python
    ResidualBlock(64, seed=0, name="block")(tf.ones([2, 8, 8, 64]))   # ones, until it is trained
    ```

    Args:
      channels: `int`.
      seed: `int`, selects the initial weights together with `name`.
      name: `str`.

    #### References

    [1] He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016.
        https://arxiv.org/abs/1603.05027
    """

    def __init__(self, channels, seed, name):
        super().__init__(name=name)
        self.channels = channels
        self.first = convolution(channels, channels, 3, seed, f"{name}_first")
        self.second = convolution(channels, channels, 3, seed, f"{name}_second")

    def build(self, input_shape):
        """Creates `18 channels^2 + 2 channels + 1` weights."""
        shape = (None, None, None, self.channels)
        self.first.build(shape)
        self.second.build(shape)
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

    def call(self, x):
        """See the class."""
        return x + self.scale * self.second(tf.nn.relu(self.first(tf.nn.relu(x))))
