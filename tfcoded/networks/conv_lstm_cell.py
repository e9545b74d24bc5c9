"""One step of a convolutional long short-term memory."""

import keras
import tensorflow as tf

from tfcoded.networks.stock_layers import LINEAR, convolution


@keras.saving.register_keras_serializable(package="tfcoded")
class ConvLSTMCell(keras.layers.Layer):
    """Convolutional LSTM cell without peepholes; Keras has the layer over a sequence only.

    ```none
    i, f, g, o = conv([x, h])      c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)      h' = sigmoid(o) tanh(c')
    ```

    ```python
    cell = ConvLSTMCell(in_channels=3, filters=8)
    x = tf.zeros([2, 4, 4, 3])
    h, states = cell(x, cell.zero_state(x))     # [2, 4, 4, 8]; states: h and c
    ```

    It has `size^2 (in_channels + filters) 4 filters + 4 filters` weights.

    Args:
      in_channels: `int`.
      filters: `int`, channels of the state.
      size: `int`, of the kernels.
      seed: `int`, selects the initial weights.
      name: `str`, selects them too.
      **kwargs: of `keras.layers.Layer`.

    #### References

    [1] Shi et al., Convolutional LSTM Network, 2015. https://arxiv.org/abs/1506.04214
    """

    def __init__(self, in_channels, filters, size=5, seed=0, name="conv_lstm_cell", **kwargs):
        super().__init__(name=name, **kwargs)
        self.in_channels = in_channels
        self.filters = filters
        self.size = size
        self.seed = seed
        # Kernel rows: the channels of x, then those of h. Kernel columns: the gates i, f, g, o.
        self.gates = convolution(
            in_channels + filters,
            4 * filters,
            size,
            seed,
            f"{name}_gates",
            gain=LINEAR,
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        """Creates the weights."""
        self.gates.build((None, None, None, self.in_channels + self.filters))

    def zero_state(self, x):
        """The state `(h, c)` before the first step, of the batch and the grid of `x : [b, h, w, ...]`."""
        zeros = tf.zeros(tf.concat([tf.shape(x)[:3], [self.filters]], axis=0), self.compute_dtype)
        zeros = tf.ensure_shape(zeros, [*x.shape[:3], self.filters])
        return zeros, zeros

    def call(self, x, states):
        """One step.

        Args:
          x: `[b, h, w, in_channels]`.
          states: pair `(h, c)` of `[b, h, w, filters]`.

        Returns:
          The output h' and the pair `(h', c')`, as Keras' cells return them.
        """
        h, c = states
        i, f, g, o = tf.split(self.gates(tf.concat([x, h], axis=-1)), 4, axis=-1)
        # Forgetting little at the start (Jozefowicz et al., 2015).
        c = tf.sigmoid(f + 1) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (h, c)

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "in_channels": self.in_channels,
            "filters": self.filters,
            "size": self.size,
            "seed": self.seed,
        }
