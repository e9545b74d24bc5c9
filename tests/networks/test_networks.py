import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import stock_keras
from tfcoded import zoo
from tfcoded.config import Config
from tfcoded.networks import Decoder, Encoder


@pytest.mark.parametrize(
    "bits, encoder_width, decoder_width, encoder_count, decoder_count",
    [
        (8, 512, 1024, 6_592_008, 19_341_185),
        (8, 522, 1050, 6_717_538, 19_581_035),
        (240, 512, 1024, 6_711_024, 19_578_753),
        (240, 502, 998, 6_583_174, 19_332_871),
    ],
)
def test_parameter_counts_of_table_18(bits, encoder_width, decoder_width, encoder_count, decoder_count):
    encoder, decoder = Encoder((28, 28, 1), bits, encoder_width), Decoder((28, 28, 1), bits, decoder_width)
    encoder.build(None)
    decoder.build(None)
    assert encoder.count_params() == encoder_count
    assert decoder.count_params() == decoder_count


# Entries of the same data set and widths differ by the width of one matrix at each end: one of each kind is enough.
@pytest.mark.parametrize("name", ["coded_10_300", "hier_5_50", "coded_70_700_cifar10", "uncoded_130_tiny_imagenet"])
def test_parameter_counts_stated_in_the_zoo(name):
    check_counts(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.list() if isinstance(zoo.config(name), Config)])
def test_all_parameter_counts_stated_in_the_zoo(name):
    check_counts(name)


def check_counts(name):
    config = zoo.config(name)
    network = config.network
    for kind, width in ((Encoder, network.encoder_width), (Decoder, network.decoder_width)):
        layer = kind(network.image_shape, config.code_bits, width)
        layer.build(None)
        assert layer.count_params() == config.parameters[layer.name]


def copy_weights(network, stock):
    """Gives the stock Keras model `stock` the weights of `network`, a `tfcoded.networks.Encoder` or `Decoder`."""
    ours = {variable.path.rsplit(f"{network.name}_", 1)[-1]: variable for variable in network.weights}
    for layer in stock.layers:
        for variable in layer.weights:
            value = ours[f"{layer.name}/{variable.name}"].numpy()
            if value.ndim == 4:  # ours: [in, k, k, out]
                transposed = isinstance(layer, keras.layers.Conv2DTranspose)
                value = value.transpose((1, 2, 3, 0) if transposed else (1, 2, 0, 3))
            variable.assign(value)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_same_function_as_the_stock_keras_model(kind):
    if kind == "encoder":
        ours, stock, shape = Encoder((28, 28, 1), 12, width=16), stock_keras.encoder(12, width=16), [3, 28, 28, 1]
    else:
        ours, stock, shape = Decoder((28, 28, 1), 12, width=16), stock_keras.decoder(12, width=16), [3, 12]
    ours.build(None)
    rng = np.random.default_rng(0)
    for weight in ours.weights:  # larger than at the start, so that no activation is left out of the comparison
        weight.assign(3.0 * weight.numpy())
    copy_weights(ours, stock)
    x = tf.constant(rng.uniform(size=shape), tf.float32)
    expected = stock(x).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-4 * expected.std())


@pytest.mark.parametrize("shape", [(32, 32, 3), (64, 64, 3)])
def test_colour_networks(shape):
    encoder, decoder = Encoder(shape, 6, width=8), Decoder(shape, 6, width=8)
    assert encoder(tf.random.stateless_uniform([2, *shape], [0, 1])).shape == (2, 6)
    images = decoder(tf.random.stateless_uniform([2, 6], [0, 1]))
    assert images.shape == (2, *shape)
    assert np.abs(images).max() < 1.0  # tanh
    # No activation between the last convolution and the dense layer of colour encoders: negative features pass whole.
    last, hidden = encoder.convolutions[-1], encoder.hidden
    x = tf.random.stateless_uniform([1, *shape], [0, 2])
    for convolution in encoder.convolutions[:-1]:
        x = tf.nn.leaky_relu(convolution(x), 0.01)
    features = tf.reshape(last(x), [1, -1])
    assert (features.numpy() < 0).any()
    expected = encoder.head(tf.nn.leaky_relu(hidden(features), 0.01))
    np.testing.assert_allclose(encoder(tf.random.stateless_uniform([1, *shape], [0, 2])), expected, rtol=1e-5)


def test_an_empty_batch_passes():
    assert Encoder((28, 28, 1), 6, width=8)(tf.zeros([0, 28, 28, 1])).shape == (0, 6)
    assert Decoder((28, 28, 1), 6, width=8)(tf.zeros([0, 6])).shape == (0, 28, 28, 1)


def test_unknown_image_shapes_are_refused():
    with pytest.raises(ValueError, match="no encoder for images of shape .29, 28, 1.; choose one of 28x28x1"):
        Encoder((29, 28, 1), 6)
    with pytest.raises(ValueError, match="no decoder for images of shape"):
        Decoder((28, 28, 3), 6)
