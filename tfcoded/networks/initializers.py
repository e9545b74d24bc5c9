"""The initial weights of every network here: uniform in +-gain/sqrt(fan_in)."""

import hashlib

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
