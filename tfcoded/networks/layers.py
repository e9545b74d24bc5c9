"""Dense and convolutional layers, written as the matrix products that CPUs and GPUs do fastest.

TensorFlow's CPU kernels for transposed convolutions are several times slower than matrix products whose results are
shifted and added, and strided 2x2 convolutions are matrix products already; `benchmarks/training_step.py` measures the
difference against stock Keras layers. The results agree with the stock operations (`tests/networks/test_layers.py`).
"""

import itertools

import keras
import tensorflow as tf

from tfcoded.networks.stock_layers import uniform_fan_in


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

    def rows(self, x):
        """What the kernel multiplies: `[N, n]`."""
        return tf.reshape(x, [-1, x.shape[-1]])


def add_bias(x, bias):
    """`x + bias`, the bias's gradient summed in float32.

    TensorFlow's own kernel sums in the precision of x on CPUs, and a sum in bfloat16 stops growing at 256 times its
    terms: of the hundred thousand pixels of a batch it would see a fraction.

    Args:
      x: `[..., c]`, tf.bfloat16 or wider.
      bias: `[c]`, tensor or variable of the same dtype.
    """

    @tf.custom_gradient
    def add(x, bias):
        def gradient(upstream):
            wide = tf.cast(upstream, tf.float32) if x.dtype == tf.bfloat16 else upstream
            rows = tf.reshape(wide, [-1, x.shape[-1]])
            return upstream, tf.cast(tf.reduce_sum(rows, axis=0), x.dtype)

        return tf.nn.bias_add(x, bias), gradient

    # A tensor, because a custom gradient must not capture the variable.
    return add(x, tf.convert_to_tensor(bias))


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

    def rows(self, x):
        """What the kernel multiplies, transposed to `[size, size, in_channels, filters]`: one row per output pixel."""
        height, width = x.shape[1], x.shape[2]
        margin = self.size // 2
        padded = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
        shifts = [
            tf.slice(padded, [0, row, column, 0], [-1, height, width, -1])
            for row in range(self.size)
            for column in range(self.size)
        ]
        return tf.reshape(tf.concat(shifts, axis=-1), [-1, self.size**2 * self.in_channels])

    def call(self, x):
        # Shifts vary slowest in the rows; bring the kernel to the same order.
        kernel = tf.transpose(self.kernel, [1, 2, 0, 3])
        y = add_bias(self.rows(x) @ tf.reshape(kernel, [-1, self.filters]), self.bias)
        return tf.reshape(y, [-1, x.shape[1], x.shape[2], self.filters])


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

    def rows(self, x):
        """What the kernel multiplies, transposed to `[size, size, in_channels, filters]`: one row per output pixel."""
        height, width = x.shape[1] // self.size, x.shape[2] // self.size
        patches = tf.reshape(x, [-1, height, self.size, width, self.size * self.in_channels])
        return tf.reshape(tf.transpose(patches, [0, 1, 3, 2, 4]), [-1, self.size**2 * self.in_channels])

    def call(self, x):
        kernel = tf.reshape(tf.transpose(self.kernel, [1, 2, 0, 3]), [-1, self.filters])
        y = add_bias(self.rows(x) @ kernel, self.bias)
        return tf.reshape(y, [-1, x.shape[1] // self.size, x.shape[2] // self.size, self.filters])


class Conv2DTranspose(_Convolution):
    """Transposed convolution, `x : [b, h, w, c]` to `[b, o, o', filters]`, `o = (h - 1) stride - 2 padding + size`.

    Tap (r, s) of the kernel carries input (i, j) to output `(stride i + r - padding, stride j + s - padding)`. Taps that
    reach the output from the same inputs share one matrix product, so nothing is computed that the padding would crop;
    the outputs of one phase (position modulo stride) are then sums of shifted products, and interleaving the phases
    gives the image.

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

    def rows(self, x):
        """What the kernel's taps multiply: `[N, in_channels]`, one row per input pixel."""
        return tf.reshape(x, [-1, self.in_channels])

    def call(self, x):
        row_groups, rows = self.tap_groups(x.shape[1])
        column_groups, columns = self.tap_groups(x.shape[2])
        phases = [[[] for _ in range(self.stride)] for _ in range(self.stride)]
        for row_taps, top, bottom in row_groups:
            for column_taps, left, right in column_groups:
                products = self._products(x, (row_taps, top, bottom), (column_taps, left, right))
                for product, (row, column) in zip(products, itertools.product(row_taps, column_taps)):
                    below, row_phase = divmod(row - self.padding, self.stride)
                    beside, column_phase = divmod(column - self.padding, self.stride)
                    placed = _place(_place(product, top + below, rows, axis=1), left + beside, columns, axis=2)
                    phases[row_phase][column_phase].append(placed)
        lines = [_interleave([_sum(terms) for terms in line], axis=2) for line in phases]
        y = _interleave(lines, axis=1)
        height, width = self._length(x.shape[1]), self._length(x.shape[2])
        if y.shape[1] > height or y.shape[2] > width:  # phases are of unequal length: the last one or more are short
            y = tf.slice(y, [0, 0, 0, 0], [-1, height, width, -1])
        return add_bias(y, self.bias)

    def _length(self, inputs):
        """Number of outputs along an axis of `inputs` inputs."""
        return (inputs - 1) * self.stride + self.size - 2 * self.padding

    def tap_groups(self, inputs):
        """Taps of one axis by the range of inputs that they carry into the output, and outputs per phase.

        Returns:
          A list of (taps, first input, last input + 1), taps being consecutive, and the length of a phase.
        """
        outputs = self._length(inputs)
        groups = []
        for tap in range(self.size):
            reached = [i for i in range(inputs) if 0 <= self.stride * i + tap - self.padding < outputs]
            span = reached[0], reached[-1] + 1
            if groups and groups[-1][1:] == span:
                groups[-1][0].append(tap)
            else:
                groups.append(([tap], *span))
        return groups, -(-outputs // self.stride)

    def _products(self, x, rows, columns):
        """Inputs in a range of rows and columns times the taps of this range: one `[b, rows, columns, f]` per tap."""
        (row_taps, top, bottom), (column_taps, left, right) = rows, columns
        height, width, count = bottom - top, right - left, len(row_taps) * len(column_taps)
        if (height, width) != (x.shape[1], x.shape[2]):
            x = tf.slice(x, [0, top, left, 0], [-1, height, width, -1])
        kernel = tf.convert_to_tensor(self.kernel)
        if count < self.size**2:
            kernel = tf.slice(kernel, [0, row_taps[0], column_taps[0], 0], [-1, len(row_taps), len(column_taps), -1])
        y = self.rows(x) @ tf.reshape(kernel, [self.in_channels, -1])
        return tf.split(tf.reshape(y, [-1, height, width, count * self.filters]), count, axis=3)


def _place(x, start, length, axis):
    """Pads `x` with zeros along `axis`, so that it starts at `start` within `length`."""
    end = length - start - x.shape[axis]
    if start == end == 0:
        return x
    pad = [[0, 0]] * len(x.shape)
    pad[axis] = [start, end]
    return tf.pad(x, pad)


def _sum(terms):
    return tf.add_n(terms) if len(terms) > 1 else terms[0]


def _interleave(phases, axis):
    """Tensors of one shape, interleaved along `axis`."""
    if len(phases) == 1:
        return phases[0]
    shape = phases[0].shape.as_list()
    y = tf.stack(phases, axis=axis + 1)
    return tf.reshape(y, [-1, *shape[1:axis], shape[axis] * len(phases), *shape[axis + 1 :]])


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
