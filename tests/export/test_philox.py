import numpy as np
import pytest
import tensorflow as tf

from export.pjrt import philox
from tfcoded import data
from tfcoded.utils import seeds

SEEDS = [(5, 9), (-5, 9), (5, -9)]


@pytest.mark.parametrize("seed", SEEDS)
def test_bits_are_those_of_tensorflow(seed):
    expected = tf.random.stateless_uniform([1001], tf.constant(seed), None, None, tf.int32, alg="philox")
    np.testing.assert_array_equal(philox.bits(1001, seed).view(np.int32), expected)


def test_bits_do_not_depend_on_how_many_are_drawn(monkeypatch):
    monkeypatch.setattr(philox, "_PART", 3)
    np.testing.assert_array_equal(philox.bits(50, (1, 2)), philox.bits(1001, (1, 2))[:50])


def test_uniform_numbers_are_those_of_tensorflow():
    expected = tf.random.stateless_uniform([7, 33], [3, 0], -0.3, 0.25)
    np.testing.assert_array_equal(philox.uniform([7, 33], (3, 0), -0.3, 0.25), expected)


@pytest.mark.parametrize("seed", [7, (-3, 2**40)])
@pytest.mark.parametrize("count", [1, 2, 500])
def test_the_order_is_that_of_the_training_pipeline(count, seed):
    images = (np.arange(count)[:, None, None, None] >> np.array([[8], [0]])[..., None] & 255).astype(np.uint8)
    batches = data.training_pipeline(images, 499, seed, first_epoch=1, epochs=2)
    pixels = np.concatenate(list(batches.as_numpy_iterator())).astype(int)
    read = (pixels[:, 0] * 256 + pixels[:, 1]).ravel().reshape(2, count)
    for epoch in (1, 2):
        np.testing.assert_array_equal(philox.order(count, data.seed_pair(seed), epoch), read[epoch - 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_derived_seeds_are_the_same_under_xla(seed):
    def derived(seed, number):
        return seeds.derive(seed, number, 3)

    arguments = tf.constant(seed), tf.constant(11)
    expected = derived(*arguments)
    np.testing.assert_array_equal(tf.function(derived, jit_compile=True)(*arguments), expected)
