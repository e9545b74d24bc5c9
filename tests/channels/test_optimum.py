"""What the best codes reach over GaussianChannel: neither more nor less than theory allows (G6, G8)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded.channels import GaussianChannel
from tfcoded.distributions import standard_normal
from tfcoded.utils import seeds

RATIOS = (0.1, 1.0, 10.0)


def test_trained_auto_encoder_reaches_the_matched_linear_code():
    """G6: n = k = 16 Gaussian sources, linear networks: error in [0.97, 1.08] / (1 + s).

    Below the lower bound the channel would leak. The sampling error of the test is 0.3%.
    """
    initializer = keras.initializers.Orthogonal(seed=0)
    kernels = [[tf.Variable(initializer([16, 16]) + 0.3 * tf.eye(16)), tf.Variable(0.1 * tf.eye(16))] for _ in RATIOS]
    channels = [GaussianChannel(snr, decay=0.9) for snr in RATIOS]
    for channel in channels:
        channel.build([None, 16])
    optimizer = keras.optimizers.Adam(0.02)
    variables = [kernel for pair in kernels for kernel in pair]
    optimizer.build(variables)

    def errors(count, seed, training):
        losses = []
        for index, ((encoder, decoder), channel) in enumerate(zip(kernels, channels)):
            source = standard_normal(tf.zeros([count, 16]), seeds.derive(seed, index, 0))
            z = channel(source @ encoder, seed=seeds.derive(seed, index, 1), training=training)["z"]
            losses.append(tf.reduce_mean((z @ decoder - source) ** 2))
        return tf.stack(losses)

    @tf.function
    def step(number, rate):
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(errors(512, seeds.derive(0, number), training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    for number in range(250):
        step(tf.constant(number), tf.constant(0.02 * (1 - number / 250), tf.float32))
    reached = errors(20000, seeds.derive(1, 0), training=False).numpy() * (1 + np.array(RATIOS))
    assert np.all((reached > 0.97) & (reached < 1.08)), reached


@pytest.mark.parametrize("snr", RATIOS)
@pytest.mark.parametrize("variance", [0.25, 4.0])
def test_one_gaussian_coordinate_per_symbol(snr, variance):
    """G8: the best linear decoder leaves v / (1 + s), within 4.5 standard errors, and it is the best."""
    x = np.sqrt(variance) * standard_normal(tf.zeros([2000, 20], tf.float64), tf.constant([5, 6]))
    z = GaussianChannel(snr)(x, seed=tf.constant([7, 8]), training=True)["z"]
    weight = np.sqrt(variance) * snr / (1 + snr)
    assert_mean((weight * z - x) ** 2, variance / (1 + snr))
    assert_mean((weight * z - x) * z, 0)
