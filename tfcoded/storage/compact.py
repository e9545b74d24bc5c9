"""Compact forms in which a kernel is stored."""

import numpy as np
import tensorflow as tf

from tfcoded.storage.rounding import compensated


class BFloat16(tf.Module):
    """A tensor rounded to bfloat16: half the size, 8 significant bits.

    Args:
      value: `np.float32` array.
    """

    def __init__(self, value):
        super().__init__()
        self._keep(value.shape, tf.cast(value, tf.bfloat16))

    def _keep(self, shape, values):
        self.shape = tf.TensorShape(shape)
        self.values = tf.Variable(values, trainable=False, name="values")

    def restored(self):
        """The tensor as tf.float32, rounded."""
        return tf.cast(self.values, tf.float32)


class Int8(tf.Module):
    """A tensor rounded to 255 levels per output channel: a quarter of the size.

    `value ~ scale * integer`, symmetric around zero; `scale` is the channel's largest magnitude over 127, so
    that the error is at most `scale / 2`. The output channel is the last axis, in dense kernels `[in, out]`
    and convolution kernels `[in, k, k, out]` alike.

    Args:
      value: `np.float32` array, finite.
    """

    def __init__(self, value):
        super().__init__()
        largest = np.abs(value).max(axis=tuple(range(value.ndim - 1)))
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)  # a channel of zeros stays zero
        integers = np.clip(np.rint(value / scale), -127, 127).astype(np.int8)
        self._keep(value.shape, integers, scale)

    def _keep(self, shape, values, scale):
        self.shape = tf.TensorShape(shape)
        self.values = tf.Variable(values, trainable=False, name="values")
        self.scale = tf.Variable(scale, trainable=False, name="scale")

    def restored(self):
        """The tensor as tf.float32, rounded."""
        return tf.cast(self.values, tf.float32) * self.scale


class Grouped(tf.Module):
    """A tensor rounded to 2^bits levels per group of 64 numbers of one output channel.

    `value ~ scale * integer`, integers from -2^(bits - 1) to 2^(bits - 1) - 1, with a bfloat16 scale for every 64
    consecutive inputs of an output channel. The scale's sign is such that the
    number of largest magnitude meets the longer side of the range; of a few scales around that, the one of least
    squared error is taken. The integers are stored as bit planes, eight numbers to a byte, and so take exactly
    `bits` bits each; the scales add a quarter of a bit.

    Args:
      value: `np.float32` array of at least two dimensions, finite, the output channel last.
      bits: `int` from 2 to 8.
      moments: `tfcoded.storage.rounding.Moments` of what the kernel, reshaped to a matrix, is multiplied with: then the
        rounding errors cancel as far as they can; the scales are the same. `None`: every number is rounded to the nearest.
    """

    SIZE = 64
    _SHRINKAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)

    def __init__(self, value, bits, moments=None):
        super().__init__()
        self._bits = bits
        rows = int(np.prod(value.shape[:-1]))
        self._groups = -(-rows // self.SIZE)
        numbers = self._grouped(value.reshape(rows, -1))
        scale = self._scales(numbers)
        if moments is None:
            integers = self._integers(numbers, scale)
        else:
            every = np.repeat(scale, self.SIZE, axis=0)[:rows]
            matrices = (array.reshape(moments.inputs, -1) for array in (value, every))
            integers = self._grouped(compensated(*matrices, moments, bits).reshape(rows, -1))
        half = 2 ** (bits - 1)
        planes = (integers.reshape(-1) + half).astype(np.uint8)[np.newaxis] >> np.arange(bits)[:, np.newaxis] & 1
        self._keep(value.shape, np.packbits(planes.astype(np.uint8), axis=1), tf.cast(scale, tf.bfloat16))

    def _keep(self, shape, values, scale):
        self.shape = tf.TensorShape(shape)
        self._bits, self._groups = values.shape[0], scale.shape[0]
        self.values = tf.Variable(values, trainable=False, name="values")
        self.scale = tf.Variable(scale, trainable=False, name="scale")

    def restored(self):
        """The tensor as tf.float32, rounded."""
        shifts = tf.constant(np.arange(7, -1, -1), tf.uint8)
        ones = tf.constant(1, tf.uint8)
        bits = tf.bitwise.bitwise_and(tf.bitwise.right_shift(self.values[:, :, tf.newaxis], shifts), ones)
        planes = tf.reshape(bits, [self._bits, -1])
        weights = tf.constant(2 ** np.arange(self._bits)[:, np.newaxis], tf.int16)
        integers = tf.reduce_sum(tf.cast(planes, tf.int16) * weights, axis=0) - 2 ** (self._bits - 1)
        channels = self.shape[-1]
        integers = tf.reshape(tf.cast(integers, tf.float32), [self._groups, self.SIZE, channels])
        numbers = tf.reshape(integers * tf.cast(self.scale, tf.float32)[:, tf.newaxis], [-1, channels])
        return tf.reshape(numbers[: self.shape[:-1].num_elements()], self.shape)

    def _grouped(self, matrix):
        """`[rows, channels]` as `[groups, 64, channels]`, zeros at the end."""
        padding = self._groups * self.SIZE - len(matrix)
        return np.pad(matrix, [[0, padding], [0, 0]]).reshape(self._groups, self.SIZE, -1)

    def _scales(self, numbers):
        """`[groups, channels]`, np.float32, already rounded to bfloat16."""
        places = np.abs(numbers).argmax(axis=1)[:, np.newaxis]
        full = np.take_along_axis(numbers, places, axis=1)[:, 0] / -(2 ** (self._bits - 1))
        best, least = np.zeros_like(full), np.full_like(full, np.inf)
        for shrinkage in self._SHRINKAGES:
            scale = tf.cast(tf.cast(shrinkage * full, tf.bfloat16), tf.float32).numpy()
            error = np.square(self._integers(numbers, scale) * scale[:, np.newaxis] - numbers).sum(axis=1)
            best, least = np.where(error < least, scale, best), np.minimum(error, least)
        return best

    def _integers(self, numbers, scale):
        half = 2 ** (self._bits - 1)
        safe = np.where(scale == 0, 1, scale)[:, np.newaxis]
        return np.clip(np.rint(numbers / safe), -half, half - 1).astype(np.int16)


def from_stored(shape, stored):
    """A tensor in the form in which a SavedModel stores it, which is not rounded again.

    Args:
      shape: of the tensor.
      stored: the object in the loaded SavedModel, with the variables of a `BFloat16`, `Int8` or `Grouped`.

    Returns:
      A `BFloat16`, `Int8` or `Grouped` with the same variables.
    """
    kind = {tf.bfloat16: BFloat16, tf.int8: Int8, tf.uint8: Grouped}[stored.values.dtype]
    compact = kind.__new__(kind)
    tf.Module.__init__(compact)
    scale = () if kind is BFloat16 else (stored.scale.read_value(),)
    compact._keep(shape, stored.values.read_value(), *scale)
    return compact


def fewest_bits(value, moments, tolerance):
    """A kernel in the fewest bits that change what it computes by no more than a tolerance.

    Args:
      value: see `Grouped`.
      moments: `tfcoded.storage.rounding.Moments` of what the kernel is multiplied with.
      tolerance: `float`, largest mean square of the products' change relative to that of the products.

    Returns:
      `Grouped` of 2 to 8 bits, of 8 if the tolerance is not met.
    """
    matrix = value.reshape(moments.inputs, -1)
    allowed = tolerance * moments.energy(matrix)
    for bits in range(2, 9):
        found = Grouped(value, bits, moments)
        if moments.energy(found.restored().numpy().reshape(matrix.shape) - matrix) <= allowed:
            break
    return found
