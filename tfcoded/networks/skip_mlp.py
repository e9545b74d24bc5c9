"""A linear map beside a small network: the encoder and the decoder of a channel auto-encoder."""

import keras
import numpy as np
import tensorflow as tf

from tfcoded.networks.stock_layers import dense


@keras.saving.register_keras_serializable(package="tfcoded")
class SkipMLP(keras.layers.Layer):
    """`x W + mlp(x)`, `[b, symbols]` to float32 `[b, symbols]`; the network has two hidden layers of rectified units.

    It starts as `scale * x` exactly: `W` is a multiple of the identity and the last layer of the network is zero.
    Whatever a linear code can do over a channel with Gaussian noise is thus within reach from the first step.

    With n symbols and u units it has `n^2 + (n u + u) + (u^2 + u) + (u n + n)` weights.

    ```python
    SkipMLP(symbols=16, units=32, scale=0.5)(tf.ones([2, 16]))   # 0.5 everywhere, until it is trained
    ```
    """

    def __init__(self, symbols, units=256, scale=1.0, seed=0, name="skip_mlp", **kwargs):
        """Initialises the layer.

        Args:
          symbols: `int`, numbers in and out.
          units: `int`, of each hidden layer.
          scale: `float`, initial factor of the linear map.
          seed: `int`, selects the initial weights.
          name: `str`, selects them too.
          **kwargs: of `keras.layers.Layer`. The hidden layers follow the global dtype policy; the linear map and what
            comes out are float32 under any.
        """
        super().__init__(autocast=False, name=name, **kwargs)
        self.symbols = symbols
        self.units = units
        self.scale = scale
        self.seed = seed
        self.hidden = [
            dense(symbols, units, seed, f"{name}_hidden_0"),
            dense(units, units, seed, f"{name}_hidden_1"),
        ]
        self.head = dense(units, symbols, seed, f"{name}_head", gain=0, dtype="float32")

    def build(self, input_shape):
        """Creates the weights."""
        for layer, inputs in zip([*self.hidden, self.head], (self.symbols, self.units, self.units), strict=True):
            layer.build((None, inputs))
        self.linear = self.add_weight(
            name="linear",
            shape=(self.symbols, self.symbols),
            initializer=lambda shape, dtype: tf.constant(self.scale * np.eye(*shape), dtype),
            dtype="float32",
            autocast=False,
        )

    def call(self, x):
        """See the class."""
        x = tf.cast(x, tf.float32)
        hidden = x
        for layer in self.hidden:
            hidden = tf.nn.relu(layer(hidden))
        return tf.linalg.matmul(x, tf.convert_to_tensor(self.linear)) + self.head(hidden)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "symbols": self.symbols,
            "units": self.units,
            "scale": self.scale,
            "seed": self.seed,
        }
