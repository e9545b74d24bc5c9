"""The initial weights of every network here: uniform in +-1/sqrt(fan_in), biases included."""

import hashlib

import keras


def uniform_fan_in(fan_in, seed, name):
    """Uniform initializer in [-1/sqrt(fan_in), 1/sqrt(fan_in)], different for every name.

    Args:
      fan_in: `int`, the number of inputs that one output sums over. For transposed convolutions the published models
        used `out_channels * kernel * kernel`, and so do the callers here.
      seed: `int`, the seed of the whole network.
      name: `str`, what is initialized; equal (seed, name) give equal values whatever was created before.

    Returns:
      A `keras.initializers.Initializer`.

    Example:

    ```python
    dense = keras.layers.Dense(8, kernel_initializer=uniform_fan_in(64, seed=0, name="head/kernel"))
    ```
    """
    bound = fan_in**-0.5
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return keras.initializers.RandomUniform(-bound, bound, seed=int.from_bytes(digest[:4], "little") >> 1)
