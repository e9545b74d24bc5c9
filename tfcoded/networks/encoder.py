"""From images to one logit per code bit."""

import keras
import tensorflow as tf

from tfcoded.networks.layers import Conv2D, Dense, PatchConv2D

SLOPE = 0.01  # of every leaky rectifier in the published networks

# Image shape -> (filters of the 3x3 convolution, filters of the 2x2 stride-2 ones, activation after the last one?)
_LAYERS = {
    (28, 28, 1): (64, (128, 256), True),
    (32, 32, 3): (64, (128, 256, 512), False),
    (64, 64, 3): (32, (64, 128, 256, 512), False),
}


class Encoder(keras.layers.Layer):
    """Convolutional encoder, `x : [b, h, w, c]` to logits `[b, outputs]`.

    A 3x3 convolution, 2x2 convolutions of stride 2, a dense layer of `width` units and a dense output; leaky ReLU in
    between. The paper's Figure 10 for 28x28x1 and its variants for 32x32x3 and 64x64x3.

    Args:
      image_shape: `(height, width, channels)`, one of the three above.
      outputs: `int`, number of logits: code bits D, or information bits M when uncoded.
      width: `int`, units of the hidden dense layer (h' in the paper).
      seed: `int`, selects the initial weights.

    Raises:
      ValueError: if no published encoder exists for the image shape.

    Example:

    ```python
    encoder = Encoder((28, 28, 1), outputs=300)
    encoder(tf.zeros([2, 28, 28, 1])).shape  # (2, 300)
    ```

    #### References

    [1]: Martinez-Garcia, Villacres, Mitchell, Olmos. Improved Variational Inference in Discrete VAEs using Error
         Correcting Codes. UAI 2025. Appendix C.1.
    """

    def __init__(self, image_shape, outputs, width=512, seed=0, name="encoder"):
        super().__init__(name=name)
        image_shape = tuple(image_shape)
        if image_shape not in _LAYERS:
            known = ", ".join("x".join(map(str, shape)) for shape in _LAYERS)
            raise ValueError(f"no encoder for images of shape {image_shape}; choose one of {known}")
        self.image_shape = image_shape
        self.outputs = outputs
        self.width = width
        first, strided, self._activate_last = _LAYERS[image_shape]
        height, _, channels = image_shape
        self.convolutions = [Conv2D(channels, first, 3, seed, f"{name}_conv_0")]
        channels = first
        for index, filters in enumerate(strided, start=1):
            self.convolutions.append(PatchConv2D(channels, filters, 2, seed, f"{name}_conv_{index}"))
            channels = filters
            height //= 2
        self._features = height * height * channels
        self.hidden = Dense(width, self._features, seed, f"{name}_hidden")
        # The logits of all copies of a bit are summed later: they are worth full precision.
        self.head = Dense(outputs, width, seed, f"{name}_head", dtype="float32")

    def build(self, input_shape):
        shape = (None, *self.image_shape)
        for convolution in self.convolutions:
            convolution.build(shape)
            stride = convolution.size if isinstance(convolution, PatchConv2D) else 1
            shape = (None, shape[1] // stride, shape[2] // stride, convolution.filters)
        self.hidden.build((None, self._features))
        self.head.build((None, self.width))

    def call(self, x):
        for convolution in self.convolutions[:-1]:
            x = tf.nn.leaky_relu(convolution(x), SLOPE)
        x = self.convolutions[-1](x)
        if self._activate_last:
            x = tf.nn.leaky_relu(x, SLOPE)
        x = tf.nn.leaky_relu(self.hidden(tf.reshape(x, [-1, self._features])), SLOPE)
        return self.head(x)
