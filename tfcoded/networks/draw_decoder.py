"""Recurrent decoders: their convolutional cell, the body that they share, and the one without latent variables."""

import keras
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.image_shapes import checked
from tfcoded.networks.stock_layers import LINEAR, convolution, dense, transposed_convolution


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


class DrawDecoder(keras.layers.Layer):
    """Paints an image in steps: `r_j = r_{j-1} + Up(h_j)`, `h_j = ConvLSTM(inputs, h_{j-1})`, `r_0 = 0`.

    The state lives on a grid of a quarter of the image's height and width. `Up` is two transposed 4x4
    convolutions of stride 2 with a rectifier between them. A subclass says what the inputs are beside the
    conditioning map `c = reshape(dense(z))`.
    """

    def __init__(
        self,
        symbols,
        steps=8,
        hidden=64,
        condition=32,
        image_shape=(32, 32, 3),
        seed=0,
        further_inputs=0,
        **kwargs,
    ):
        """Initialises the layer.

        Args:
          symbols: `int`, numbers that the decoder is given.
          steps: `int`, K.
          hidden: `int`, channels of the state.
          condition: `int`, channels of the conditioning map.
          image_shape: `(height, width, channels)`; height and width must be multiples of 4.
          seed: `int`, selects the initial weights.
          further_inputs: `int`, channels of the inputs beside the conditioning map.
          **kwargs: of `keras.layers.Layer`; `name` selects the initial weights too. The layers inside follow
            the global dtype policy; what comes out is float32 under any.

        Raises:
          ValueError: if the image shape is impossible, or there is no step.
        """
        super().__init__(autocast=False, **kwargs)
        self.image_shape = checked(image_shape, 4)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.symbols = symbols
        self.steps = steps
        self.hidden = hidden
        self.condition = condition
        self.seed = seed
        self.grid = (self.image_shape[0] // 4, self.image_shape[1] // 4)
        self._inputs = condition + further_inputs
        positions = self.grid[0] * self.grid[1]
        self.conditioning = dense(symbols, positions * condition, seed, f"{self.name}_conditioning", gain=LINEAR)
        self.cell = ConvLSTMCell(self._inputs, hidden, 5, seed, f"{self.name}_cell")
        channels = self.image_shape[2]
        # All steps together start at a grey image, and as wide as images are.
        self.up = [
            transposed_convolution(hidden, hidden, 4, seed, f"{self.name}_up_0", gain=LINEAR),
            transposed_convolution(
                hidden,
                channels,
                4,
                seed,
                f"{self.name}_up_1",
                gain=1 / steps,
                bias=0.5 / steps,
                dtype="float32",
            ),
        ]

    def build(self, input_shape):
        """Creates the weights."""
        self.conditioning.build((None, self.symbols))
        self.cell.build((None, *self.grid, self._inputs))
        for layer in self.up:
            layer.build((None, None, None, self.hidden))

    def get_config(self):
        """Arguments of the constructors of the subclasses."""
        return {
            **super().get_config(),
            "symbols": self.symbols,
            "steps": self.steps,
            "hidden": self.hidden,
            "condition": self.condition,
            "image_shape": list(self.image_shape),
            "seed": self.seed,
        }

    def _start(self, z):
        """The conditioning map `[b, h/4, w/4, condition]`, the first state and an empty canvas."""
        c = tf.reshape(self.conditioning(z), [-1, *self.grid, self.condition])
        canvas = tf.zeros(tf.concat([tf.shape(c)[:1], self.image_shape], axis=0), tf.float32)
        return c, self.cell.zero_state(c), tf.ensure_shape(canvas, [None, *self.image_shape])

    def _paint(self, inputs, states, canvas):
        """One step; `inputs` are what the state sees, in any precision. Returns the new state and canvas."""
        inputs = tf.concat([tf.cast(x, self.cell.compute_dtype) for x in inputs], axis=-1)
        h, states = self.cell(inputs, states)
        return states, canvas + self.up[1](tf.nn.relu(self.up[0](h)))


@keras.saving.register_keras_serializable(package="tfcoded")
class PlainDrawDecoder(DrawDecoder):
    """Recurrent decoder, symbols `z : [b, symbols]` to mean images, float32 `[b, h, w, c]`, not clipped.

    ```none
    c = reshape(dense(z))      h_j = ConvLSTM(c, h_{j-1})      r_j = r_{j-1} + Up(h_j)      mean = r_K
    ```

    This is how the paper's "unconditional ConvDraw decoder" is read: nothing random beside the channel. For
    32x32x3 images and 100 symbols it has 890,179 weights (8 steps, 64 and 32 channels).

    ```python
    decoder = PlainDrawDecoder(symbols=100, steps=2, hidden=8, condition=8)
    decoder(tf.zeros([2, 100]))        # [2, 32, 32, 3]
    ```

    The arguments of the constructor are those of `DrawDecoder` but `further_inputs`.

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        6.2. https://arxiv.org/abs/2003.13367
    """

    def __init__(
        self,
        symbols,
        steps=8,
        hidden=64,
        condition=32,
        image_shape=(32, 32, 3),
        seed=0,
        name="plain_draw_decoder",
        **kwargs,
    ):
        super().__init__(symbols, steps, hidden, condition, image_shape, seed, name=name, **kwargs)

    def call(self, z):
        """See the class."""
        return any_rows(self._means, z)

    def _means(self, z):
        c, states, canvas = self._start(z)
        for _ in range(self.steps):
            states, canvas = self._paint([c], states, canvas)
        return canvas
