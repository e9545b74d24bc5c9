"""The recurrent body that the draw decoders share."""

import keras
import tensorflow as tf

from tfcoded.networks.conv_lstm_cell import ConvLSTMCell
from tfcoded.networks.image_shapes import checked
from tfcoded.networks.stock_layers import LINEAR, dense, transposed_convolution


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
