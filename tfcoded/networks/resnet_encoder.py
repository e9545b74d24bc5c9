"""From images to the law of channel symbols."""

import keras
import tensorflow as tf

from tfcoded.networks.residual_block import ResidualBlock
from tfcoded.networks.resnet import ResNet
from tfcoded.networks.stock_layers import LINEAR, convolution, dense


@keras.saving.register_keras_serializable(package="tfcoded")
class ResNetEncoder(ResNet):
    """Residual encoder, images `x : [b, h, w, c]` in [0, 1] to `(mu, log_sig)`, float32 `[b, symbols]` each.

    With `w` for `width`: 4x4 convolution of stride 2 (w), two residual blocks, the same with 2w, a 4x4
    convolution of stride 2 (2w), a dense layer of 4w rectified units, a dense output. Rectifiers precede
    every convolution but the first, as in [1]; `log_sig` is clipped to [-6, 2]. Images are shifted to
    [-1, 1] first.

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

    def __init__(self, symbols, width=64, image_shape=(32, 32, 3), seed=0, name="resnet_encoder", **kwargs):
        """Initialises the layer, see `ResNet`."""
        super().__init__(symbols, width, image_shape, seed, name=name, **kwargs)
        channels = self.image_shape[2]
        self.down = [
            convolution(channels, width, 4, seed, f"{name}_down_0", strides=2, gain=LINEAR),
            convolution(width, 2 * width, 4, seed, f"{name}_down_1", strides=2),
            convolution(2 * width, 2 * width, 4, seed, f"{name}_down_2", strides=2),
        ]
        self.blocks = [ResidualBlock(width, seed, f"{name}_block_{i}") for i in range(2)]
        self.blocks += [ResidualBlock(2 * width, seed, f"{name}_block_{i}") for i in (2, 3)]
        self.features = self.image_shape[0] * self.image_shape[1] // 64 * 2 * width
        self.hidden = dense(self.features, 4 * width, seed, f"{name}_hidden")
        self.head = dense(4 * width, 2 * symbols, seed, f"{name}_head", gain=LINEAR, dtype="float32")

    def build(self, input_shape):
        """Creates the weights."""
        for layer, channels in zip(self.down, (self.image_shape[2], self.width, 2 * self.width)):
            layer.build((None, None, None, channels))
        for block in self.blocks:
            block.build((None, None, None, block.channels))
        self.hidden.build((None, self.features))
        self.head.build((None, 4 * self.width))

    def call(self, images):
        """See the class."""
        x = self.down[0](2 * images - 1)
        x = self.blocks[1](self.blocks[0](x))
        x = self.down[1](tf.nn.relu(x))
        x = self.blocks[3](self.blocks[2](x))
        x = self.down[2](tf.nn.relu(x))
        x = tf.nn.relu(self.hidden(tf.reshape(tf.nn.relu(x), [-1, self.features])))
        mu, log_sig = tf.split(self.head(x), 2, axis=-1)
        return mu, tf.clip_by_value(log_sig, -6, 2)
