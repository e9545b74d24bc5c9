"""From received channel symbols to the mean of the image."""

import keras
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.residual_block import ResidualBlock
from tfcoded.networks.resnet import ResNet
from tfcoded.networks.stock_layers import LINEAR, convolution, dense, transposed_convolution


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
