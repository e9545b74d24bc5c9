"""Dense and convolutional layers, written as the matrix products that CPUs and GPUs do fastest.

TensorFlow's CPU kernels for transposed convolutions are several times slower than one matrix product followed by an
overlap-add, and strided 2x2 convolutions are matrix products already; `benchmarks/training_step.py` measures the
difference against stock Keras layers. The results agree with the stock operations (`tests/networks/test_layers.py`).
"""

import keras
import tensorflow as tf

from tfcoded.networks.initializers import uniform_fan_in


class Dense(keras.layers.Dense):
    """Dense layer with the published initialization, `x : [..., n]` to `[..., units]`.

    Args:
      units: `int`, number of outputs.
      fan_in: `int`, number of inputs.
      seed: `int`, see `uniform_fan_in`.
      name: `str`: it selects the initial values.
      use_bias: `bool`.
      dtype: dtype policy; `None` is the global one.
    """

    def __init__(self, units, fan_in, seed, name, use_bias=True, dtype=None):
        super().__init__(
            units,
            use_bias=use_bias,
            kernel_initializer=uniform_fan_in(fan_in, seed, f"{name}/kernel"),
            bias_initializer=uniform_fan_in(fan_in, seed, f"{name}/bias"),
            name=name,
            dtype=dtype,
        )


class _Convolution(keras.layers.Layer):
    """Kernel `[in_channels, size, size, filters]` (inputs first, so that it reshapes into a matrix) and bias."""

    def __init__(self, in_channels, filters, size, fan_in, seed, name):
        super().__init__(name=name)
        self.in_channels = in_channels
        self.filters = filters
        self.size = size
        self._fan_in = fan_in
        self._seed = seed

    def build(self, input_shape):
        if input_shape[-1] != self.in_channels:
            raise ValueError(f"{self.name}: expected {self.in_channels} input channels, got shape {input_shape}")
        self.kernel = self.add_weight(
            shape=(self.in_channels, self.size, self.size, self.filters),
            initializer=uniform_fan_in(self._fan_in, self._seed, f"{self.name}/kernel"),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.filters,),
            initializer=uniform_fan_in(self._fan_in, self._seed, f"{self.name}/bias"),
            name="bias",
        )


class Conv2D(_Convolution):
    """Convolution with stride 1, `x : [b, h, w, in_channels]`, as shifted copies times a matrix.

    Made for few input channels (images), where the copies are cheap.

    Args:
      in_channels: `int`.
      filters: `int`, output channels.
      size: `int`, odd kernel size; zero padding keeps height and width.
      seed: `int`, see `uniform_fan_in`.
      name: `str`.
    """

    def __init__(self, in_channels, filters, size, seed, name):
        super().__init__(in_channels, filters, size, in_channels * size * size, seed, name)

    def call(self, x):
        height, width = x.shape[1], x.shape[2]
        margin = self.size // 2
        padded = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
        shifts = [
            tf.slice(padded, [0, row, column, 0], [-1, height, width, -1])
            for row in range(self.size)
            for column in range(self.size)
        ]
        # Shifts vary slowest in the concatenation; bring the kernel to the same order.
        kernel = tf.transpose(self.kernel, [1, 2, 0, 3])
        columns = tf.reshape(tf.concat(shifts, axis=-1), [-1, self.size**2 * self.in_channels])
        y = tf.nn.bias_add(columns @ tf.reshape(kernel, [-1, self.filters]), self.bias)
        return tf.reshape(y, [-1, height, width, self.filters])


class PatchConv2D(_Convolution):
    """Convolution whose stride equals its kernel size: patches times a matrix, `[b, h, w, c]` to `[b, h/s, w/s, f]`.

    Args:
      in_channels: `int`.
      filters: `int`, output channels.
      size: `int`, kernel size and stride; height and width must be multiples of it.
      seed: `int`, see `uniform_fan_in`.
      name: `str`.
    """

    def __init__(self, in_channels, filters, size, seed, name):
        super().__init__(in_channels, filters, size, in_channels * size * size, seed, name)

    def call(self, x):
        height, width = x.shape[1] // self.size, x.shape[2] // self.size
        patches = tf.reshape(x, [-1, height, self.size, width, self.size * self.in_channels])
        patches = tf.reshape(tf.transpose(patches, [0, 1, 3, 2, 4]), [-1, self.size**2 * self.in_channels])
        kernel = tf.reshape(tf.transpose(self.kernel, [1, 2, 0, 3]), [-1, self.filters])
        y = tf.nn.bias_add(patches @ kernel, self.bias)
        return tf.reshape(y, [-1, height, width, self.filters])


class Conv2DTranspose(_Convolution):
    """Transposed convolution, `x : [b, h, w, c]` to `[b, o, o', filters]`, `o = (h - 1) stride - 2 padding + size`.

    One matrix product gives every input pixel's contribution to every output pixel under its kernel; the
    contributions are then added up one axis at a time.

    Args:
      in_channels: `int`.
      filters: `int`, output channels.
      size: `int`, kernel size.
      stride: `int`, at most `size`.
      padding: `int`, rows and columns cropped at each border.
      seed: `int`, see `uniform_fan_in`; `fan_in` is `filters * size * size`, as in the published models.
      name: `str`.
    """

    def __init__(self, in_channels, filters, size, stride, padding, seed, name):
        super().__init__(in_channels, filters, size, filters * size * size, seed, name)
        if not 1 <= stride <= size:
            raise ValueError(f"{name}: stride must be in 1..size={size}, got {stride}")
        self.stride = stride
        self.padding = padding

    def call(self, x):
        height, width = x.shape[1], x.shape[2]
        y = tf.reshape(x, [-1, self.in_channels]) @ tf.reshape(self.kernel, [self.in_channels, -1])
        if self.size > 1:
            y = tf.reshape(y, [-1, height, width, self.size, self.size * self.filters])
            y = self._overlap_add(tf.unstack(y, axis=3), axis=1)
            y = self._overlap_add(tf.split(y, self.size, axis=3), axis=2)
        else:
            y = tf.reshape(y, [-1, height, width, self.filters])
        return tf.nn.bias_add(y, self.bias)

    def _overlap_add(self, taps, axis):
        """Adds the `size` taps of one axis, each a shift of `stride` apart, and crops the padding.

        Tap r of input i lands on output `stride * i + r`; the outputs of one phase (`r mod stride`) are shifted copies
        of the input grid, and interleaving the phases gives the output. Padding and slicing are used rather than
        strided slices, whose gradients are slow scatters.
        """
        shape = taps[0].shape
        length = shape[axis]
        out = (length - 1) * self.stride + self.size - 2 * self.padding
        grid = length + -(-self.size // self.stride) - 1
        phases = []
        for phase in range(self.stride):
            shifted = []
            for shift, tap in enumerate(range(phase, self.size, self.stride)):
                pad = [[0, 0]] * len(shape)
                pad[axis] = [shift, grid - length - shift]
                shifted.append(tf.pad(taps[tap], pad) if grid > length else taps[tap])
            phases.append(tf.add_n(shifted) if len(shifted) > 1 else shifted[0])
        if self.stride > 1:
            y = tf.stack(phases, axis=axis + 1)
            y = tf.reshape(y, [-1, *shape[1:axis], grid * self.stride, *shape[axis + 1 :]])
        else:
            y = phases[0]
        begin, size = [0] * len(shape), [-1] * len(shape)
        begin[axis], size[axis] = self.padding, out
        return tf.slice(y, begin, size)


class SqueezeExcitation(keras.layers.Layer):
    """Squeeze-and-excitation: scales each channel by a gate computed from all channel means (Hu et al., 2018).

    Args:
      channels: `int`.
      seed: `int`, see `uniform_fan_in`.
      name: `str`.
      reduction: `int`, the bottleneck has `channels // reduction` units.
    """

    def __init__(self, channels, seed, name, reduction=16):
        super().__init__(name=name)
        self.squeeze = Dense(channels // reduction, channels, seed, f"{name}_squeeze", use_bias=False)
        self.excite = Dense(channels, channels // reduction, seed, f"{name}_excite", use_bias=False)

    def build(self, input_shape):
        self.squeeze.build((input_shape[0], input_shape[-1]))
        self.excite.build((input_shape[0], self.squeeze.units))

    def call(self, x):
        gate = tf.sigmoid(self.excite(tf.nn.relu(self.squeeze(tf.reduce_mean(x, axis=[1, 2])))))
        return x * gate[:, tf.newaxis, tf.newaxis, :]
