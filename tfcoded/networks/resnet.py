"""What the residual encoder and decoder have in common."""

import keras

from tfcoded.networks.image_shapes import checked


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
