import numpy as np
import pytest
import tensorflow as tf
from tiny_systems import SEED, SHAPE, SYMBOLS, images
from trained import as_trained

from tfcoded.channels import GaussianChannel
from tfcoded.models import ChannelAutoencoder, SeparateSystem, SourceVAE
from tfcoded.networks import ResNetDecoder, ResNetEncoder
from tfcoded.utils import seeds


def parts(symbols=SYMBOLS):
    encoder, decoder = (
        ResNetEncoder(SYMBOLS, 2, SHAPE, name="encoder"),
        ResNetDecoder(SYMBOLS, 2, SHAPE, name="decoder"),
    )
    return SourceVAE(encoder, decoder, beta=0.1), ChannelAutoencoder(symbols, GaussianChannel(1.0, name="channel"), 4)


def test_it_is_one_model_inside_the_other():
    source, channel = parts()
    as_trained(channel)
    system = SeparateSystem.from_parts(source, channel)
    out = system.communicate(images(), 1, SEED)
    code = source.transmit(images(), seeds.derive(seeds.derive(SEED, 2), 10))
    sent = channel.transmit(code, SEED)
    np.testing.assert_allclose(system.transmit(images(), seeds.derive(SEED, 2)), sent, rtol=1e-5)
    arrived = channel.corrupt(sent, seeds.derive(SEED, 3))
    np.testing.assert_allclose(out, source.decoder(channel.symbol_decoder(arrived)), rtol=1e-4, atol=1e-5)
    assert out.shape == (4, *SHAPE)
    rates = system.rates(images(), SEED)
    assert set(rates) == {"rate", "transmission_rate"}
    np.testing.assert_allclose(rates["rate"], source.rates(images(), SEED)["rate"], rtol=1e-6)
    assert (system.item_shape, system.symbols, system.bands) == (SHAPE, SYMBOLS, 1)


def test_the_parts_share_no_weight_and_no_gradient():
    """V6: no weight of the channel code has a gradient of the image loss; of each path there is one weight."""
    source, channel = parts()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(source.training_terms(images(), SEED)["loss"])
    assert tape.gradient(loss, channel.trainable_weights) == [None] * len(channel.trainable_weights)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(channel.training_terms(images()[:, 0, 0, :0], SEED)["loss"])
    assert tape.gradient(loss, source.trainable_weights) == [None] * len(source.trainable_weights)
    system = SeparateSystem.from_parts(source, channel)
    paths = [weight.path.split("/", 1)[1] for weight in system.weights]
    assert len(set(paths)) == len(paths) == len(source.weights) + len(channel.weights)


def test_it_is_not_trained():
    with pytest.raises(ValueError, match="the separate system is not trained"):
        SeparateSystem.from_parts(*parts()).training_terms(images(), SEED)


def test_parts_that_do_not_fit():
    with pytest.raises(ValueError, match="8 numbers and the channel code is for 6"):
        SeparateSystem.from_parts(*parts(6))
