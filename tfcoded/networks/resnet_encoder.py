"""From images to the law of channel symbols."""

import keras
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.residual_block import ResidualBlock
from tfcoded.networks.resnet import ResNet
from tfcoded.networks.stock_layers import LINEAR, convolution, dense


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
