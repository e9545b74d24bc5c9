"""Compact forms in which a kernel is stored."""

import numpy as np
import tensorflow as tf


class BFloat16(tf.Module):
    """A tensor rounded to bfloat16: half the size, 8 significant bits.

    Args:
      value: `np.float32` array.
    """

    def __init__(self, value):
        super().__init__()
        self.values = tf.Variable(tf.cast(value, tf.bfloat16), trainable=False, name="values")

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
        self.values = tf.Variable(integers, trainable=False, name="values")
        self.scale = tf.Variable(scale, trainable=False, name="scale")

    def restored(self):
        """The tensor as tf.float32, rounded."""
        return tf.cast(self.values, tf.float32) * self.scale
