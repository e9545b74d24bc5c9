"""The network that the Frechet Inception distance is defined with."""

import keras
import tensorflow as tf

FEATURES = 2048

_SIDE = 299
_EPSILON = 1e-3
_DATA_FORMAT = "channels_last"  # whatever the user's setting is


def fid_inception(weights=None):
    """Google's Inception graph of 5 December 2015, up to the features `pool_3:0`.

    Not the Inception v3 of `keras.applications`: the weights are others, the images are not resized with
    half-pixel centers, the last block pools with a maximum where all others average, and an average does not
    count the padding. All of this changes the distance.

    Args:
      weights: `dict` of arrays, see `tfcoded.metrics.frechet.inception_weights`; `None` leaves random ones.

    Returns:
      `keras.Model` from images, `[N, H, W, 3]` tf.uint8, to features, `[N, 2048]` tf.float32, with 21,802,784
      numbers. Images of any size are resized to 299 x 299.

    Raises:
      ValueError: if `weights` has other names or shapes.

    Example:

    ```python
    network = fid_inception(inception_weights.load("inception_2015.npz"))
    network(images)  # [N, 2048]
    ```

    #### References
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture for computer vision",
    2015; Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium", 2017, whose FID uses this graph.
    """
    images = keras.Input([None, None, 3], dtype="uint8", name="images")
    x = _Preprocessing(name="preprocessing", dtype="float32")(images)
    x = _convolve(x, "conv", 32, 3, strides=2, padding="VALID")
    x = _convolve(x, "conv_1", 32, 3, padding="VALID")
    x = _convolve(x, "conv_2", 64, 3)
    x = _shrink(x, "pool")
    x = _convolve(x, "conv_3", 80, 1)
    x = _convolve(x, "conv_4", 192, 3, padding="VALID")
    x = _shrink(x, "pool_1")
    for name, pooled in (("mixed", 32), ("mixed_1", 64), ("mixed_2", 64)):
        x = _block_35(x, name, pooled)
    x = _to_17(x, "mixed_3")
    for name, narrow in (("mixed_4", 128), ("mixed_5", 160), ("mixed_6", 160), ("mixed_7", 192)):
        x = _block_17(x, name, narrow)
    x = _to_8(x, "mixed_8")
    x = _block_8(x, "mixed_9", keras.layers.AveragePooling2D)
    x = _block_8(x, "mixed_10", keras.layers.MaxPooling2D)
    features = keras.layers.GlobalAveragePooling2D(name="pool_3", dtype="float32", data_format=_DATA_FORMAT)(x)
    network = keras.Model(images, features, name="fid_inception")
    if weights is not None:
        assign(network, weights)
    return network


def assign(network, weights):
    """Gives a `fid_inception` its weights; arguments and errors as there."""
    variables = {f"{layer.name}.{variable.name}": variable for layer in network.layers for variable in layer.variables}
    differing = sorted(variables.keys() ^ weights.keys())
    if differing:
        raise ValueError(f"weights of another network: {differing[0]} is in only one of the two")
    for name, variable in variables.items():
        variable.assign(weights[name])


class _Preprocessing(keras.layers.Layer):
    """Images of any size, 0 to 255, as the graph takes them: 299 x 299 and (x - 128) / 128."""

    def call(self, images):
        # The very operation of the graph: pixel i of the output lies at i * size / 299 of the input, without
        # the half-pixel shift of today's defaults.
        resized = tf.raw_ops.ResizeBilinear(
            images=images, size=[_SIDE, _SIDE], align_corners=False, half_pixel_centers=False
        )
        return (resized - 128.0) / 128.0

    def compute_output_shape(self, shape):
        return (shape[0], _SIDE, _SIDE, 3)


class _Convolution(keras.layers.Layer):
    """Convolution, batch norm with stored statistics and no scale of its own, ReLU.

    Args:
      filters: `int`.
      size: `(height, width)` of the kernel.
      strides: `int`.
      padding: `SAME` or `VALID`.
    """

    def __init__(self, filters, size, strides, padding, **kwargs):
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.filters, self.size, self.strides, self.padding = filters, size, strides, padding

    def build(self, shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(*self.size, shape[-1], self.filters), initializer="he_normal"
        )
        self.offset = self.add_weight(name="offset", shape=(self.filters,), initializer="zeros")
        self.mean = self.add_weight(name="mean", shape=(self.filters,), initializer="zeros")
        self.variance = self.add_weight(name="variance", shape=(self.filters,), initializer="ones")

    def call(self, x):
        # The batch norm is folded into the convolution: scaling kernels costs nothing beside scaling images,
        # and TensorFlow runs what remains, convolution, bias and ReLU, as one operation.
        scale = tf.math.rsqrt(self.variance + _EPSILON)
        x = tf.nn.conv2d(x, self.kernel * scale, self.strides, self.padding)
        return tf.nn.relu(tf.nn.bias_add(x, self.offset - self.mean * scale))


def _convolve(x, name, filters, size, strides=1, padding="SAME"):
    size = (size, size) if isinstance(size, int) else size
    return _Convolution(filters, size, strides, padding, name=name)(x)


def _tower(x, name, *convolutions):
    """Convolutions one after the other, each `(filters, size)`, named conv, conv_1, ..."""
    for index, (filters, size) in enumerate(convolutions):
        x = _convolve(x, f"{name}.conv" + (f"_{index}" if index else ""), filters, size)
    return x


def _shrink(x, name):
    return keras.layers.MaxPooling2D(3, strides=2, name=name, dtype="float32", data_format=_DATA_FORMAT)(x)


def _pooled(x, prefix, pooling, filters):
    # TensorFlow's average over a padded window divides by the number of pixels that are inside the image.
    options = {"padding": "same", "dtype": "float32", "data_format": _DATA_FORMAT}
    x = pooling(3, strides=1, name=f"{prefix}pool", **options)(x)
    return _convolve(x, f"{prefix}conv", filters, 1)


def _concatenate(name, *branches):
    return keras.layers.Concatenate(name=name, dtype="float32")(branches)


def _block_35(x, name, pooled):
    return _concatenate(
        name,
        _convolve(x, f"{name}.conv", 64, 1),
        _tower(x, f"{name}.tower", (48, 1), (64, 5)),
        _tower(x, f"{name}.tower_1", (64, 1), (96, 3), (96, 3)),
        _pooled(x, f"{name}.tower_2.", keras.layers.AveragePooling2D, pooled),
    )


def _to_17(x, name):
    tower = _tower(x, f"{name}.tower", (64, 1), (96, 3))
    return _concatenate(
        name,
        _convolve(x, f"{name}.conv", 384, 3, strides=2, padding="VALID"),
        _convolve(tower, f"{name}.tower.conv_2", 96, 3, strides=2, padding="VALID"),
        _shrink(x, f"{name}.pool"),
    )


def _block_17(x, name, narrow):
    row, column = (1, 7), (7, 1)
    return _concatenate(
        name,
        _convolve(x, f"{name}.conv", 192, 1),
        _tower(x, f"{name}.tower", (narrow, 1), (narrow, row), (192, column)),
        _tower(x, f"{name}.tower_1", (narrow, 1), (narrow, column), (narrow, row), (narrow, column), (192, row)),
        _pooled(x, f"{name}.tower_2.", keras.layers.AveragePooling2D, 192),
    )


def _to_8(x, name):
    tower = _tower(x, f"{name}.tower", (192, 1))
    tower_1 = _tower(x, f"{name}.tower_1", (192, 1), (192, (1, 7)), (192, (7, 1)))
    return _concatenate(
        name,
        _convolve(tower, f"{name}.tower.conv_1", 320, 3, strides=2, padding="VALID"),
        _convolve(tower_1, f"{name}.tower_1.conv_3", 192, 3, strides=2, padding="VALID"),
        _shrink(x, f"{name}.pool"),
    )


def _block_8(x, name, pooling):
    tower = _convolve(x, f"{name}.tower_conv", 384, 1)
    tower_1 = _convolve(x, f"{name}.tower_1_conv", 448, 1)
    tower_1 = _convolve(tower_1, f"{name}.tower_1_conv_1", 384, 3)
    return _concatenate(
        name,
        _convolve(x, f"{name}.conv", 320, 1),
        _convolve(tower, f"{name}.tower_mixed_conv", 384, (1, 3)),
        _convolve(tower, f"{name}.tower_mixed_conv_1", 384, (3, 1)),
        _convolve(tower_1, f"{name}.tower_1_mixed_conv", 384, (1, 3)),
        _convolve(tower_1, f"{name}.tower_1_mixed_conv_1", 384, (3, 1)),
        _pooled(x, f"{name}.tower_2_", pooling, 192),
    )
