import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean
from tiny_systems import SEED, SHAPE, STEP, SYMBOLS, gradients, images
from trained import as_trained

from tfcoded.models import SourceVAE
from tfcoded.networks import ResNetDecoder, ResNetEncoder
from tfcoded.utils import seeds

PIXELS = math.prod(SHAPE)


def tiny(**options):
    encoder, decoder = (
        ResNetEncoder(SYMBOLS, 2, SHAPE, name="encoder"),
        ResNetDecoder(SYMBOLS, 2, SHAPE, name="decoder"),
    )
    return SourceVAE(encoder, decoder, **options)


class Shrink(keras.layers.Layer):
    """Encoder of independent N(0, v) pixels into as many N(0, 1) numbers: `y = a x + sig eps`, `a^2 v + sig^2 = 1`."""

    image_shape, symbols = SHAPE, PIXELS

    def __init__(self, variance, sig):
        super().__init__()
        self.factor, self.sig = math.sqrt((1 - sig**2) / variance), sig

    def call(self, x):
        mu = self.factor * tf.reshape(x, [-1, PIXELS])
        return mu, tf.fill(tf.shape(mu), math.log(self.sig))


class Factor(keras.layers.Layer):
    """Decoder `f(y) = factor * y`."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y):
        return tf.reshape(self.factor * y, [-1, *SHAPE])


def test_rate_is_the_mean_of_the_log_ratio():
    """V2, bits back: E_q[log2 q(y|x) - log2 p(y)] of the code, by sampling."""
    model = tiny()
    as_trained(model.encoder)
    x = np.broadcast_to(images(1), [4000, *SHAPE])
    mu, log_sig = (value.numpy()[0].astype(np.float64) for value in model.encoder(x[:1] / np.float32(255)))
    y = model.transmit(x, SEED).numpy()
    log_ratio = (0.5 * y**2 - 0.5 * ((y - mu) / np.exp(log_sig)) ** 2 - log_sig).sum(1) / math.log(2)
    rate = model.rates(x[:1], SEED)["rate"].numpy()[0]
    assert rate > 1
    assert_mean(log_ratio, rate)


@pytest.mark.parametrize("wrong", [False, True])
def test_rate_and_distortion_enclose_the_information(wrong):
    """V3, V5: H - D <= I <= R, with equality where decoder and prior are exact. A worse decoder raises D."""
    variance, sig, count = 0.5, 0.6, 500
    encoder = Shrink(variance, sig)
    exact = encoder.factor * variance  # E[x | y] = a v y
    model = SourceVAE(encoder, Factor(1.5 * exact if wrong else exact))
    x = math.sqrt(variance) * tf.random.stateless_normal([count, *SHAPE], SEED)
    information = -PIXELS * math.log(sig)
    terms = model.training_terms(x, SEED)
    rate = terms["rate"].numpy() * math.log(2)
    assert_mean(rate.repeat(2), information, errors=4.5 * math.sqrt(2))  # the marginal of y is the prior
    noise = variance * sig**2  # of x given y
    nll = terms["sse"].numpy() / (2 * noise) + PIXELS / 2 * math.log(2 * math.pi * noise)
    entropy = PIXELS / 2 * math.log(2 * math.pi * math.e * variance)
    if wrong:  # by (0.5 E[x|y])^2 / (2 noise), of which E[x|y] has the variance v (1 - sig^2)
        excess = PIXELS * 0.25 * variance * (1 - sig**2) / (2 * noise)
        assert_mean(nll.repeat(2), entropy - information + excess, errors=4.5 * math.sqrt(2))
        assert entropy - nll.mean() < information and nll.mean() + rate.mean() > entropy
    else:
        assert_mean(nll.repeat(2), entropy - information, errors=4.5 * math.sqrt(2))


def test_loss():
    model = tiny(beta=0.4, warm_up_steps=10)
    terms = model.training_terms(images(), SEED)
    assert list(terms) == ["loss", *model.metric_names] == ["loss", "mse", "sse", "rate"]
    np.testing.assert_allclose(terms["loss"], terms["sse"] + 0.4 * math.log(2) * terms["rate"], rtol=1e-6)
    np.testing.assert_allclose(terms["rate"], model.rates(images(), SEED)["rate"], rtol=1e-6)
    mu, log_sig = model.encoder(images() / np.float32(255))
    code = model.transmit(images(), SEED)
    errors = (model.decoder(code) - images() / np.float32(255)) ** 2
    np.testing.assert_allclose(terms["sse"], tf.reduce_sum(errors, [1, 2, 3]), rtol=1e-5)
    assert_within = np.abs((code - mu) / tf.exp(log_sig)).max()
    assert 0.5 < assert_within < 5  # one of 32 normal numbers: outside with probability 1e-5
    half = model.training_terms(images(), SEED, STEP)
    np.testing.assert_allclose(half["loss"], half["sse"] + 0.2 * math.log(2) * half["rate"], rtol=1e-6)


def test_there_is_no_channel():
    model = tiny()
    code = model.transmit(images(), SEED)
    np.testing.assert_array_equal(model.corrupt(code, SEED), code)
    out = model.receive(code, 0, SEED)
    np.testing.assert_array_equal(model.receive(code, 1, tf.constant([5, 6])), out)
    expected = model.receive(model.transmit(images(), seeds.derive(SEED, 2)), 1, SEED)
    np.testing.assert_array_equal(model.communicate(images(), 1, SEED), expected)
    assert (model.item_shape, model.symbols, model.bands, model.monitor) == (SHAPE, SYMBOLS, 1, "mse")


def test_every_weight_learns():
    model = tiny(beta=0.1)
    as_trained(model, 0.3)
    slopes = gradients(lambda: model.training_terms(images(16), SEED, STEP)["loss"], model.trainable_weights)
    for weight, slope in zip(model.trainable_weights, slopes, strict=True):
        assert np.abs(slope).max() > 0, weight.path
