"""Networks of batches without items, forwards and backwards: TensorFlow's convolutions do not take them on CPUs."""

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.networks import (
    ALVDecoder,
    BandDrawPrior,
    Decoder,
    Encoder,
    PlainDrawDecoder,
    ResNetDecoder,
    ResNetEncoder,
    SkipMLP,
)
from tfcoded.networks.classifier import Classifier

SHAPE = (8, 8, 1)
SEED = tf.constant([1, 2])
DRAW = {"steps": 2, "hidden": 2, "condition": 2, "image_shape": SHAPE}


def _posterior(decoder, z):
    return decoder.posterior(z, tf.zeros(tf.concat([tf.shape(z)[:1], SHAPE], axis=0)), seed=SEED)["kl"]


def _prior(prior, z):
    return prior.dist_params(z)[0] + prior.sample(z, tf.ones(tf.shape(z)[:2], tf.bool), SEED)


# A network, the shape of an item that it takes, and what is made of it.
NETWORKS = {
    "resnet_encoder": (lambda: ResNetEncoder(6, 2, SHAPE), SHAPE, lambda network, x: network(x)[1]),
    "resnet_decoder": (lambda: ResNetDecoder(6, 2, SHAPE), (6,), None),
    "plain_draw_decoder": (lambda: PlainDrawDecoder(6, **DRAW), (6,), None),
    "alv_decoder": (lambda: ALVDecoder(6, latents=2, **DRAW), (6,), lambda network, x: network(x, seed=SEED)),
    "alv_posterior": (lambda: ALVDecoder(6, latents=2, **DRAW), (6,), _posterior),
    "recurrent_prior": (lambda: BandDrawPrior(3), (2, 4), _prior),
    "spatial_prior": (lambda: BandDrawPrior(3, "spatial"), (2, 4), _prior),
    "skip_mlp": (lambda: SkipMLP(6, 4), (6,), None),
    "classifier": (lambda: Classifier(filters=(2, 3)), (28, 28, 1), None),
    "encoder": (lambda: Encoder((28, 28, 1), 5, 4), (28, 28, 1), None),
    "decoder": (lambda: Decoder((28, 28, 1), 5, 4), (5,), None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_empty_batch_gives_an_empty_batch_and_no_gradient(name):
    make, shape, function = NETWORKS[name]
    network = make()
    function = function or (lambda network, x: network(x))
    if isinstance(network, Classifier):
        network(tf.zeros([1, *shape]))
    else:
        network.build((None, *shape))

    def run(x):
        with tf.GradientTape() as tape:
            y = function(network, x)
        weights = [weight.value for weight in network.trainable_weights]
        return y, tape.gradient(y, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    graph = tf.function(run, input_signature=[tf.TensorSpec([None, *shape], tf.float32)], autograph=False)
    full, _ = graph(tf.ones([2, *shape]))
    for mode in (run, graph):
        empty, gradients = mode(tf.zeros([0, *shape]))
        assert empty.shape == (0, *full.shape[1:])
        assert all(np.all(gradient.numpy() == 0) for gradient in gradients)
    # With items nothing is added: the same numbers whether the batch is known or not.
    np.testing.assert_allclose(full, function(network, tf.ones([2, *shape])), rtol=1e-4, atol=1e-5)
