"""From smoothed code bits to an image."""

import keras
import tensorflow as tf

from tfcoded.networks.encoder import SLOPE
from tfcoded.networks.layers import Conv2DTranspose, Dense, SqueezeExcitation

# Image shape -> transposed convolutions after the trunk's 28x28x64: (filters, size, stride)
_HEADS = {
    (28, 28, 1): ((1, 1, 1),),
    (32, 32, 3): ((32, 3, 1), (16, 3, 1), (3, 1, 1)),
    (64, 64, 3): ((32, 3, 1), (16, 3, 1), (8, 2, 2), (3, 1, 1)),
}


class _Up(keras.layers.Layer):
    """Transposed convolution, leaky ReLU, squeeze-and-excitation."""

    def __init__(self, in_channels, filters, size, stride, padding, seed, name):
        super().__init__(name=name)
        self.convolution = Conv2DTranspose(in_channels, filters, size, stride, padding, seed, f"{name}_conv")
        self.gate = SqueezeExcitation(filters, seed, f"{name}_gate")

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.gate.build((None, None, None, self.convolution.filters))

    def call(self, x):
        return self.gate(tf.nn.leaky_relu(self.convolution(x), SLOPE))


class Decoder(keras.layers.Layer):
    """Residual decoder, `z : [b, inputs]` to `[b, h, w, c]`: logits for one channel, tanh values for three.

    Two dense layers with tanh, then a block of transposed convolutions with two skip connections and
    squeeze-and-excitation (28x28x64 at its end), then a head for the image shape. The sigmoid of grey images is left
    to the likelihood, which wants logits.

    Args:
      image_shape: `(height, width, channels)`, 28x28x1, 32x32x3 or 64x64x3.
      inputs: `int`, number of smoothed bits: code bits D, or information bits M when uncoded.
      width: `int`, units of the first dense layer (h in the paper).
      seed: `int`, selects the initial weights.

    Raises:
      ValueError: if no published decoder exists for the image shape.

    Example:

    ```python
    decoder = Decoder((28, 28, 1), inputs=300)
    decoder(tf.zeros([2, 300])).shape  # (2, 28, 28, 1)
    ```

    #### References

    [1]: Martinez-Garcia, Villacres, Mitchell, Olmos. Improved Variational Inference in Discrete VAEs using Error
         Correcting Codes. UAI 2025. Appendix C.2.
    """

    def __init__(self, image_shape, inputs, width=1024, seed=0, name="decoder"):
        super().__init__(name=name)
        image_shape = tuple(image_shape)
        if image_shape not in _HEADS:
            known = ", ".join("x".join(map(str, shape)) for shape in _HEADS)
            raise ValueError(f"no decoder for images of shape {image_shape}; choose one of {known}")
        self.image_shape = image_shape
        self.inputs = inputs
        self.width = width
        self.hidden = Dense(width, inputs, seed, f"{name}_hidden")
        self.spread = Dense(3 * 3 * 1024, width, seed, f"{name}_spread")
        self.block_1 = _Up(1024, 512, 1, 1, 0, seed, f"{name}_block_1")
        self.block_2 = _Up(512, 256, 4, 2, 1, seed, f"{name}_block_2")
        self.block_3 = _Up(256, 128, 4, 2, 0, seed, f"{name}_block_3")
        self.block_4 = _Up(128, 64, 4, 2, 1, seed, f"{name}_block_4")
        self.skip_1 = _Up(1024, 256, 4, 2, 1, seed, f"{name}_skip_1")
        self.skip_2 = _Up(512, 128, 6, 4, 0, seed, f"{name}_skip_2")
        self.head = []
        channels = 64
        for index, (filters, size, stride) in enumerate(_HEADS[image_shape]):
            self.head.append(Conv2DTranspose(channels, filters, size, stride, 0, seed, f"{name}_head_{index}"))
            channels = filters

    def build(self, input_shape):
        self.hidden.build((None, self.inputs))
        self.spread.build((None, self.width))
        for up in (self.block_1, self.block_2, self.block_3, self.block_4, self.skip_1, self.skip_2):
            up.build((None, None, None, up.convolution.in_channels))
        for layer in self.head:
            layer.build((None, None, None, layer.in_channels))

    def call(self, z):
        x = tf.reshape(tf.tanh(self.spread(tf.tanh(self.hidden(z)))), [-1, 3, 3, 1024])
        # Each block ends in its own rectifier and the trunk applies one more: the published networks do both.
        a = tf.nn.leaky_relu(self.block_1(x), SLOPE)
        b = tf.nn.leaky_relu(self.block_2(a), SLOPE)
        c = self.block_3(tf.nn.leaky_relu(b + self.skip_1(x), SLOPE))
        d = self.block_4(tf.nn.leaky_relu(c + self.skip_2(a), SLOPE))
        y = tf.nn.leaky_relu(d, SLOPE)
        for layer in self.head[:-1]:
            y = tf.nn.leaky_relu(layer(y), SLOPE)
        y = self.head[-1](y)
        return y if self.image_shape[-1] == 1 else tf.tanh(y)
