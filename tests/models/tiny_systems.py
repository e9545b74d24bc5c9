"""Systems small enough to be checked number by number: 8x8 images, 8 symbols, networks of width 2 or linear ones."""

import keras
import numpy as np
import tensorflow as tf

from tfcoded.channels import BandwidthLimitedChannel, GaussianChannel, GaussianPrior
from tfcoded.models import BinaryJointModel, JointModel
from tfcoded.networks import ALVDecoder, BandDrawPrior, PlainDrawDecoder, ResNetDecoder, ResNetEncoder

SHAPE = (8, 8, 1)
SYMBOLS = 8
BANDS = 4
SEED = tf.constant([1, 2])
STEP = tf.constant(5, tf.int64)
DRAW = {"steps": 2, "hidden": 2, "condition": 2, "image_shape": SHAPE, "name": "decoder"}
DECODERS = {
    "resnet": lambda symbols: ResNetDecoder(symbols, 2, SHAPE, name="decoder"),
    "draw": lambda symbols: PlainDrawDecoder(symbols, **DRAW),
    "alv": lambda symbols: ALVDecoder(symbols, latents=2, **DRAW),
}


def images(count=4):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


class LinearEncoder(keras.layers.Layer):
    """`(mu, log_sig)` linear in the pixels."""

    image_shape, symbols = SHAPE, SYMBOLS

    def build(self, input_shape):
        pixels = int(np.prod(self.image_shape))
        initializer = keras.initializers.RandomNormal(0, 0.3, seed=1)
        self.mean = self.add_weight(name="mean", shape=(pixels, self.symbols), initializer=initializer)
        self.spread = self.add_weight(name="spread", shape=(pixels, self.symbols), initializer=initializer)

    def call(self, images):
        pixels = tf.reshape(images, [-1, self.mean.shape[0]])
        return pixels @ tf.convert_to_tensor(self.mean), 0.3 * (pixels @ tf.convert_to_tensor(self.spread)) - 1


class LinearDecoder(keras.layers.Layer):
    """Images linear in the symbols."""

    def build(self, input_shape):
        initializer = keras.initializers.RandomNormal(0, 0.1, seed=2)
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], int(np.prod(SHAPE))), initializer=initializer
        )

    def call(self, z):
        return tf.reshape(z @ tf.convert_to_tensor(self.kernel), [-1, *SHAPE])


class ZeroFiller(GaussianPrior):
    """N(0, 1) to the divergence; fills in zeros, so that a bandwidth has one outcome."""

    def sample(self, received, keep, seed):
        return tf.zeros_like(received)


def linear_joint(prior=None, snr=1.0, symbols_seen=SYMBOLS, options=None, **channel):
    """A `JointModel` of linear parts. `channel` are options of `BandwidthLimitedChannel`."""
    channel = {"bands": BANDS, "marginalise": "complete", "name": "channel", **channel}
    limited = BandwidthLimitedChannel(GaussianChannel(snr, name="gaussian"), prior=prior, **channel)
    return JointModel(LinearEncoder(name="encoder"), limited, LinearDecoder(name="decoder"), **(options or {}))


def joint(decoder="resnet", prior="gaussian", seed=0, channel=None, **options):
    """A `JointModel` of the real networks."""
    channel = {"bands": BANDS, "marginalise": "complete", **(channel or {})}
    prior = BandDrawPrior(3, seed=seed, name="prior") if prior == "draw" else GaussianPrior(name="prior")
    limited = BandwidthLimitedChannel(GaussianChannel(1.0, name="gaussian"), prior=prior, name="channel", **channel)
    inputs = SYMBOLS + limited.bands * limited.reveal_bands
    encoder = ResNetEncoder(SYMBOLS, 2, SHAPE, seed, name="encoder")
    return JointModel(encoder, limited, DECODERS[decoder](inputs), seed=seed, **options)


def binary(channel, decoder="resnet", seed=0, **options):
    """A `BinaryJointModel` of the real networks."""
    encoder = ResNetEncoder(SYMBOLS, 2, SHAPE, seed, "bits", name="encoder")
    return BinaryJointModel(encoder, channel, DECODERS[decoder](SYMBOLS), seed=seed, **options)


def gradients(function, variables):
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(function())
    return tape.gradient(value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
