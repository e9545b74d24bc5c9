"""What the layers of a Coded-DVAE are given, measured on images: which rounding errors would be seen, and made good."""

import contextlib
import functools

import numpy as np
import tensorflow as tf

from tfcoded.codec.weights import key
from tfcoded.networks.layers import Conv2D, Conv2DTranspose, Dense, PatchConv2D
from tfcoded.storage.rounding import Moments
from tfcoded.utils import seeds

IMAGES = 2048
_BATCH = 256
_RIDGE = 0.001  # of the mean square of an input
_ROWS = 4  # times the unknowns: with fewer a fit follows the noise
_SAMPLE, _WORDS, _SMOOTHING = range(3)  # purposes of the seed


def moments(model, images, seed=0):
    """Second moments of the inputs of a model's layers.

    The inputs are those of reconstructions, and of random words that are decoded and encoded again, as the bit
    error rate is measured.

    Args:
      model: a built `tfcoded.models.CodedDVAE`.
      images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1]; the first `IMAGES` are used.
      seed: `int`, of the latent variables.

    Returns:
      `dict` from `tfcoded.codec.weights.key` of a kernel to its `tfcoded.storage.rounding.Moments`, for all dense and
      convolutional layers.
    """
    layers = [
        layer
        for layer in (*model.encoder._flatten_layers(), *model.decoder._flatten_layers())
        if isinstance(layer, Conv2D | Conv2DTranspose | Dense | PatchConv2D)
    ]
    found = {layer: Moments() for layer in layers}
    with _observed(layers, lambda layer, x: found[layer].add(_rows(layer, x))):
        _use(model, images, seed)
    return {key(layer.kernel): found[layer] for layer in layers}


def refitted_head(model, weights, images, seed=0):
    """Kernel and bias of the encoder's last layer with which the rounded model says what the exact one said.

    Rounding blurs what the layers compute, most of all the images of random words that are encoded again, and their
    logits shrink a little on the average, which the errors of bits feel. The last layer is fitted by least squares
    to what the exact model says of the same images and words.

    Args:
      model: a built `tfcoded.models.CodedDVAE`.
      weights: `tfcoded.codec.weights.Weights` of it.
      images, seed: as for `moments`.

    Returns:
      np.float32 `[n, D]` and `[D]`; as they were if the images are too few to tell.
    """
    head = model.encoder.head
    kernel, bias = (np.asarray(variable, np.float64) for variable in (head.kernel, head.bias))
    exact = _head_inputs(model, images, seed)
    with weights.used_by(model.encoder, model.decoder):
        rounded = _head_inputs(model, images, seed)
    inputs = np.concatenate([rounded, np.ones([len(rounded), 1])], axis=1)
    if len(inputs) < _ROWS * inputs.shape[1]:
        return kernel.astype(np.float32), bias.astype(np.float32)
    squares = inputs.T @ inputs
    missing = exact @ kernel - rounded @ kernel
    # Towards no change where the inputs say little.
    ridge = _RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
    change = np.linalg.solve(squares + ridge, inputs.T @ missing)
    return (kernel + change[:-1]).astype(np.float32), (bias + change[-1]).astype(np.float32)


def _head_inputs(model, images, seed):
    found = []
    with _observed([model.encoder.head], lambda layer, x: found.append(x.numpy().astype(np.float64))):
        _use(model, images, seed)
    return np.concatenate(found)


def _use(model, images, seed):
    """Reconstructs the first images; decodes as many random words and encodes what comes out."""
    for start in range(0, min(len(images), IMAGES), _BATCH):
        batch = images[start : min(start + _BATCH, IMAGES)]
        model.outputs(model.sample(batch, _seed(seed, _SAMPLE, start)))
        shape = [len(batch), model.code.information_bits]
        bits = seeds.bits(shape, _seed(seed, _WORDS, start))
        model.code_logits(model.decode(model.modulate(bits, _seed(seed, _SMOOTHING, start))))


def _rows(layer, x):
    """What multiplies a layer's kernel, reshaped to a matrix as it is stored: np.float32 `[N, n]`.

    The products of a transposed convolution are those of its taps, before the ones that overlap are added.
    """
    rows = layer.rows(tf.cast(x, tf.float32)).numpy()
    if isinstance(layer, Conv2D | PatchConv2D):  # stored with the input channels first
        rows = rows.reshape(len(rows), -1, layer.in_channels).transpose(0, 2, 1).reshape(len(rows), -1)
    return rows


@contextlib.contextmanager
def _observed(layers, see):
    """Meanwhile `see(layer, x)` is called with everything that goes into one of the layers."""

    def call(layer, original, x):
        see(layer, x)
        return original(x)

    for layer in layers:
        layer.call = functools.partial(call, layer, layer.call)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _seed(seed, purpose, start):
    return seeds.derive(tf.constant([seed, start]), purpose)
