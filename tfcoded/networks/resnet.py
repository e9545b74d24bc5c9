"""Residual networks: from images to the law of channel symbols, and from symbols received to mean images."""

import keras
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.image_shapes import checked
from tfcoded.networks.stock_layers import LINEAR, convolution, dense, transposed_convolution


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


class ResNet(keras.layers.Layer):
    """Base of `ResNetEncoder` and `ResNetDecoder`: their arguments."""

    def __init__(self, symbols, width, image_shape, seed, **kwargs):
        """Initialises the layer.

        Args:
          symbols: `int`, number of channel symbols; for a decoder all numbers that it is given, with the
            `bands` of `BandwidthLimitedChannel` if it reveals them.
          width: `int`, channels at half the height and width of the image; see `SIZES`.
          image_shape: `(height, width, channels)`; height and width must be multiples of 8.
          seed: `int`, selects the initial weights.
          **kwargs: of `keras.layers.Layer`; `name` selects the initial weights too. The layers inside follow
            the global dtype policy; what comes out is float32 under any.

        Raises:
          ValueError: if the image shape is impossible.
        """
        # Images and symbols arrive as they are, in float32; the layers inside cast what they multiply.
        super().__init__(autocast=False, **kwargs)
        self.image_shape = checked(image_shape, 8)
        self.symbols = symbols
        self.width = width
        self.seed = seed

    def get_config(self):
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "symbols": self.symbols,
            "width": self.width,
            "image_shape": list(self.image_shape),
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="tfcoded")
class ResNetEncoder(ResNet):
    """Residual encoder, images `x : [b, h, w, c]` in [0, 1] to `(mu, log_sig)`, float32 `[b, symbols]` each.

    With `w` for `width`: 4x4 convolution of stride 2 (w), two residual blocks, the same with 2w, a 4x4
    convolution of stride 2 (2w), a dense layer of 4w rectified units, a dense output. Rectifiers precede
    every convolution but the first, as in [1]; `log_sig` is clipped to [-6, 2]. Images are shifted to
    [-1, 1] first. With `law="bits"` there is one output per symbol instead, the log-odds of a bit, not clipped.

    For 32x32x3 images and 100 symbols it has 1,710,604 weights at width 64 and 33,012 at width 8.

    ```python
    encoder = ResNetEncoder(symbols=100, width=8)
    mu, log_sig = encoder(tf.zeros([2, 32, 32, 3]))     # [2, 100] each
    sent = GaussianChannel(snr=1.0)(mu, log_sig, seed=(1, 2))
    ```

    #### References

    [1] He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016.
        https://arxiv.org/abs/1603.05027
    """

    def __init__(
        self,
        symbols,
        width=64,
        image_shape=(32, 32, 3),
        seed=0,
        law="normal",
        name="resnet_encoder",
        **kwargs,
    ):
        """Initialises the layer.

        Args:
          symbols: see `ResNet`.
          width: see `ResNet`.
          image_shape: see `ResNet`.
          seed: see `ResNet`.
          law: `str`, of the symbols: "normal", with two parameters each, or "bits", with log-odds, see above.
          name: see `ResNet`.
          **kwargs: see `ResNet`.

        Raises:
          ValueError: if the image shape is impossible or the law unknown.
        """
        super().__init__(symbols, width, image_shape, seed, name=name, **kwargs)
        if law not in ("normal", "bits"):
            raise ValueError(f"law must be 'normal' or 'bits', got {law!r}")
        self.law = law
        channels = self.image_shape[2]
        self.down = [
            convolution(channels, width, 4, seed, f"{name}_down_0", strides=2, gain=LINEAR),
            convolution(width, 2 * width, 4, seed, f"{name}_down_1", strides=2),
            convolution(2 * width, 2 * width, 4, seed, f"{name}_down_2", strides=2),
        ]
        self.blocks = [ResidualBlock(width, seed, f"{name}_block_{i}") for i in range(2)]
        self.blocks += [ResidualBlock(2 * width, seed, f"{name}_block_{i}") for i in (2, 3)]
        self._flat = self.image_shape[0] * self.image_shape[1] // 64 * 2 * width
        self.hidden = dense(self._flat, 4 * width, seed, f"{name}_hidden")
        parameters = {"normal": 2, "bits": 1}[law]
        self.head = dense(4 * width, parameters * symbols, seed, f"{name}_head", gain=LINEAR, dtype="float32")

    def build(self, input_shape):
        """Creates the weights."""
        for layer, channels in zip(self.down, (self.image_shape[2], self.width, 2 * self.width), strict=True):
            layer.build((None, None, None, channels))
        for block in self.blocks:
            block.build((None, None, None, block.channels))
        self.hidden.build((None, self._flat))
        self.head.build((None, self.units))

    def call(self, images):
        """See the class."""
        return self.parameters(self.features(images))

    @property
    def units(self):
        """`int`, how many numbers `features` makes of an image, 4w."""
        return 4 * self.width

    def features(self, images):
        """What `parameters`, and any further head, is a linear function of: `[b, h, w, c]` to `[b, units]`."""
        return any_rows(self._features, images)

    def _features(self, images):
        x = self.down[0](2 * images - 1)
        x = self.blocks[1](self.blocks[0](x))
        x = self.down[1](tf.nn.relu(x))
        x = self.blocks[3](self.blocks[2](x))
        x = self.down[2](tf.nn.relu(x))
        return tf.nn.relu(self.hidden(tf.reshape(tf.nn.relu(x), [-1, self._flat])))

    def parameters(self, features):
        """The output of a call, of `features`, `[b, units]`."""
        if self.law == "bits":
            return self.head(features)
        return normal_parameters(self.head(features))

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "law": self.law}


def normal_parameters(head):
    """`(mu, log_sig)`, `[b, n]` each, of a head's output `[b, 2n]`; `log_sig` is clipped to [-6, 2]."""
    mu, log_sig = tf.split(head, 2, axis=-1)
    return mu, tf.clip_by_value(log_sig, -6, 2)


@keras.saving.register_keras_serializable(package="tfcoded")
class ResNetDecoder(ResNet):
    """Residual decoder, symbols `z : [b, symbols]` to mean images, float32 `[b, h, w, c]`, not clipped.

    With `w` for `width`: a dense layer of 4w rectified units, one to a grid of 2w channels, a transposed 4x4
    convolution of stride 2 (2w), two residual blocks, the same with w, a transposed 4x4 convolution of stride
    2 (w), a 3x3 convolution to the channels of the image. Rectifiers precede every convolution. The output
    starts around 0.5 and is not confined to [0, 1].

    For 32x32x3 images and 100 symbols it has 1,750,983 weights at width 64 and 30,719 at width 8.

    ```python
    decoder = ResNetDecoder(symbols=100, width=8)
    decoder(tf.zeros([2, 100]))        # [2, 32, 32, 3]
    ```

    #### References

    [1] He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016.
        https://arxiv.org/abs/1603.05027
    """

    def __init__(self, symbols, width=64, image_shape=(32, 32, 3), seed=0, name="resnet_decoder", **kwargs):
        """Initialises the layer, see `ResNet`."""
        super().__init__(symbols, width, image_shape, seed, name=name, **kwargs)
        height, breadth, channels = self.image_shape
        self.grid = (height // 8, breadth // 8, 2 * width)
        self.hidden = dense(symbols, 4 * width, seed, f"{name}_hidden", gain=LINEAR)
        self.spread = dense(4 * width, height * breadth // 64 * 2 * width, seed, f"{name}_spread")
        self.up = [
            transposed_convolution(2 * width, 2 * width, 4, seed, f"{name}_up_0"),
            transposed_convolution(2 * width, width, 4, seed, f"{name}_up_1"),
            transposed_convolution(width, width, 4, seed, f"{name}_up_2"),
        ]
        self.blocks = [ResidualBlock(2 * width, seed, f"{name}_block_{i}") for i in range(2)]
        self.blocks += [ResidualBlock(width, seed, f"{name}_block_{i}") for i in (2, 3)]
        # Images start in the middle of their range and as wide as images are (a fifth or so), not with the
        # unit variance of what comes in.
        self.head = convolution(width, channels, 3, seed, f"{name}_head", gain=0.3, bias=0.5, dtype="float32")

    def build(self, input_shape):
        """Creates the weights."""
        self.hidden.build((None, self.symbols))
        self.spread.build((None, 4 * self.width))
        for layer, channels in zip(self.up, (2 * self.width, 2 * self.width, self.width)):
            layer.build((None, None, None, channels))
        for block in self.blocks:
            block.build((None, None, None, block.channels))
        self.head.build((None, None, None, self.width))

    def call(self, z):
        """See the class."""
        return any_rows(self._means, z)

    def _means(self, z):
        x = self.spread(tf.nn.relu(self.hidden(z)))
        x = self.up[0](tf.nn.relu(tf.reshape(x, [-1, *self.grid])))
        x = self.blocks[1](self.blocks[0](x))
        x = self.up[1](tf.nn.relu(x))
        x = self.blocks[3](self.blocks[2](x))
        x = self.up[2](tf.nn.relu(x))
        return self.head(tf.nn.relu(x))
