"""Stand-ins for the published networks, which XLA compiles in a second, and a training on forty images."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfcoded import config
from tfcoded.networks.layers import Dense

# What a process runs first that is to use them, as `commands.run` takes it.
PREPARE = f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import pytest, tiny_networks
tiny_networks.replace_networks(pytest.MonkeyPatch())
"""

CONFIG = """
name: tiny
dataset: {dataset}
likelihood: bernoulli
beta: 15.0
code: {{kind: hierarchical, information_bits: [2, 2], code_bits: [10, 10]}}
network: {{image_shape: [28, 28, 1], encoder_width: 16, decoder_width: 16}}
training: {{epochs: 3, batch_size: 16, learning_rate: 0.0001, l2: 0.01}}
"""


class Encoder(keras.layers.Layer):
    def __init__(self, image_shape, outputs, width, seed):
        super().__init__(name="encoder")
        self.inputs = int(np.prod(image_shape))
        self.hidden = Dense(width, self.inputs, seed, "encoder_first")
        self.head = Dense(outputs, width, seed, "encoder_head", dtype="float32")

    def build(self, input_shape):
        self.hidden.build((None, self.inputs))
        self.head.build((None, self.hidden.units))

    def call(self, x):
        return self.head(tf.nn.leaky_relu(self.hidden(tf.reshape(x, [-1, self.inputs]))))


class Decoder(keras.layers.Layer):
    def __init__(self, image_shape, inputs, width, seed):
        super().__init__(name="decoder")
        self.image_shape, self.inputs = image_shape, inputs
        self.hidden = Dense(width, inputs, seed, "decoder_hidden")
        self.head = [Dense(int(np.prod(image_shape)), width, seed, "decoder_head")]

    def build(self, input_shape):
        self.hidden.build((None, self.inputs))
        self.head[-1].build((None, self.hidden.units))

    def call(self, z):
        return tf.reshape(self.head[-1](tf.tanh(self.hidden(z))), [-1, *self.image_shape])


def replace_networks(monkeypatch):
    """Makes every `CodedDVAE` built from now on use the stand-ins."""
    monkeypatch.setattr("tfcoded.models.coded_dvae.Encoder", Encoder)
    monkeypatch.setattr("tfcoded.models.coded_dvae.Decoder", Decoder)


def settings(folder):
    """Writes forty training and twenty test images into `folder`; their `tfcoded.config.Config`."""
    coarse = np.random.default_rng(0).integers(0, 2, size=(60, 4, 4)).repeat(7, 1).repeat(7, 2) * 255
    images = coarse[..., np.newaxis].astype(np.uint8)
    np.savez(folder / "images.npz", train=images[:40], test=images[40:])
    return config.from_yaml(CONFIG.format(dataset=folder / "images.npz"))
