"""The 28x28x1 networks built from stock Keras layers: what the package's own layers are measured and tested against."""

import keras
from keras import layers

SLOPE = 0.01


def encoder(outputs, width=512):
    """The encoder as a functional Keras model, `[b, 28, 28, 1]` to logits `[b, outputs]`."""
    x = inputs = keras.Input((28, 28, 1))
    x = _rectify(layers.Conv2D(64, 3, padding="same", name="conv_0")(x))
    x = _rectify(layers.Conv2D(128, 2, strides=2, name="conv_1")(x))
    x = _rectify(layers.Conv2D(256, 2, strides=2, name="conv_2")(x))
    x = _rectify(layers.Dense(width, name="hidden")(layers.Flatten()(x)))
    return keras.Model(inputs, layers.Dense(outputs, name="head")(x))


def decoder(inputs, width=1024):
    """The decoder as a functional Keras model, `[b, inputs]` to logits `[b, 28, 28, 1]`."""
    z = keras.Input((inputs,))
    x = layers.Dense(width, activation="tanh", name="hidden")(z)
    x = layers.Dense(9216, activation="tanh", name="spread")(x)
    x = layers.Reshape((3, 3, 1024))(x)
    a = _rectify(_up(x, 512, 1, 1, "valid", "block_1"))
    b = _rectify(_up(a, 256, 4, 2, "same", "block_2"))
    c = _up(_rectify(layers.Add()([b, _up(x, 256, 4, 2, "same", "skip_1")])), 128, 4, 2, "valid", "block_3")
    d = _up(_rectify(layers.Add()([c, _up(a, 128, 6, 4, "valid", "skip_2")])), 64, 4, 2, "same", "block_4")
    return keras.Model(z, layers.Conv2DTranspose(1, 1, name="head_0")(_rectify(d)))


def _rectify(x):
    return layers.LeakyReLU(SLOPE)(x)


def _up(x, filters, size, stride, padding, name):
    x = layers.Conv2DTranspose(filters, size, strides=stride, padding=padding, name=f"{name}_conv")(x)
    x = _rectify(x)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(filters // 16, activation="relu", use_bias=False, name=f"{name}_gate_squeeze")(gate)
    gate = layers.Dense(filters, activation="sigmoid", use_bias=False, name=f"{name}_gate_excite")(gate)
    return layers.Multiply()([x, layers.Reshape((1, 1, filters))(gate)])
