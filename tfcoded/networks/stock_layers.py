"""Stock Keras layers whose initial weights are a function of a seed and their name; the channels are the last axis."""

import hashlib
import math

import keras


def uniform_fan_in(fan_in, seed, name, gain=1.0):
    """Uniform initializer in [-gain/sqrt(fan_in), gain/sqrt(fan_in)], different for every name.

    Args:
      fan_in: `int`, the number of inputs that one output sums over. For transposed convolutions the published models
        used `out_channels * kernel * kernel`, and so do the callers here.
      seed: `int`, the seed of the whole network.
      name: `str`, what is initialized; equal (seed, name) give equal values whatever was created before.
      gain: `float`: 1 as in the published coded models (biases included), sqrt(3) to keep the variance of
        what passes, sqrt(6) to keep it through a rectifier (He et al., 2015).

    Returns:
      A `keras.initializers.Initializer`.

    Example:

    ```python
    dense = keras.layers.Dense(8, kernel_initializer=uniform_fan_in(64, seed=0, name="head/kernel"))
    ```
    """
    bound = gain * fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound, seed=seed_of(seed, name))


def seed_of(seed, name):
    """The seed, a non-negative `int` below 2^31, of a Keras initializer.

    Args:
      seed: `int`, the seed of the whole network.
      name: `str`, what is initialized.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


LINEAR = math.sqrt(3)  # keeps the variance of what passes
RECTIFIED = math.sqrt(6)  # keeps it where a rectifier is in front: He et al., 2015


def dense(inputs, units, seed, name, gain=RECTIFIED, bias=0.0, dtype=None):
    """`keras.layers.Dense`, `[..., inputs]` to `[..., units]`.

    ```python
    dense(64, 8, seed=0, name="head", gain=0.0)(tf.ones([2, 64]))   # zeros [2, 8]
    ```

    Args:
      inputs: `int`.
      units: `int`.
      seed: `int`, of the whole network.
      name: `str`: together with `seed` it selects the initial values.
      gain: `float`, see `uniform_fan_in`; 0 starts with a kernel of zeros.
      bias: `float`, initial value of the biases.
      dtype: dtype policy; `None` is the global one.
    """
    return keras.layers.Dense(units, **_options(inputs, seed, name, gain, bias, dtype))


def convolution(in_channels, filters, size, seed, name, strides=1, gain=RECTIFIED, bias=0.0, dtype=None):
    """`keras.layers.Conv2D`, `[b, h, w, in_channels]` to `[b, h / strides, w / strides, filters]`.

    Args:
      in_channels: `int`.
      filters: `int`.
      size: `int`, of the kernel; zeros surround the input.
      seed: `int`, see `dense`.
      name: `str`, see `dense`.
      strides: `int`.
      gain: `float`, see `dense`.
      bias: `float`, see `dense`.
      dtype: see `dense`.
    """
    options = _options(in_channels * size**2, seed, name, gain, bias, dtype)
    return keras.layers.Conv2D(filters, size, strides, padding="same", data_format="channels_last", **options)


def transposed_convolution(in_channels, filters, size, seed, name, strides=2, gain=RECTIFIED, bias=0.0, dtype=None):
    """`keras.layers.Conv2DTranspose`, `[b, h, w, in_channels]` to `[b, h * strides, w * strides, filters]`.

    Args:
      in_channels: `int`.
      filters: `int`.
      size: `int`, of the kernel, a multiple of `strides`.
      seed: `int`, see `dense`.
      name: `str`, see `dense`.
      strides: `int`.
      gain: `float`, see `dense`.
      bias: `float`, see `dense`.
      dtype: see `dense`.
    """
    # An output is reached by one tap in `strides` along each axis. (Keras counts the outputs of an input.)
    options = _options(in_channels * (size // strides) ** 2, seed, name, gain, bias, dtype)
    return keras.layers.Conv2DTranspose(filters, size, strides, padding="same", data_format="channels_last", **options)


def _options(fan_in, seed, name, gain, bias, dtype):
    return {
        "kernel_initializer": uniform_fan_in(fan_in, seed, f"{name}/kernel", gain) if gain else "zeros",
        "bias_initializer": keras.initializers.Constant(bias),
        "name": name,
        "dtype": dtype,
    }
