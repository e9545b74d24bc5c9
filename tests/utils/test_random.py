"""standard_normal: its law, and that it does not depend on who compiles."""

import numpy as np
import tensorflow as tf
from scipy import stats

from tfcoded.distributions import standard_normal

SEED = tf.constant([3, 4])


def test_follows_the_normal_law():
    # Kolmogorov-Smirnov by the Dvoretzky-Kiefer-Wolfowitz inequality: false-failure rate 1e-8.
    n = 200000
    x = np.sort(standard_normal(tf.zeros([n]), SEED).numpy().astype(np.float64))
    steps = np.arange(n + 1) / n
    cdf = stats.norm.cdf(x)
    distance = max(np.abs(cdf - steps[1:]).max(), np.abs(cdf - steps[:-1]).max())
    assert 1e-4 < distance < np.sqrt(np.log(2 / 1e-8) / (2 * n))
    assert 4 < np.abs(x).max() < 5.3  # P(no number beyond 4 among 200,000) = 3e-6


def test_eager_graph_xla_and_float64_agree():
    like = tf.zeros([7, 1000])
    eager = standard_normal(like, SEED)
    np.testing.assert_array_equal(tf.function(standard_normal)(like, SEED), eager)
    np.testing.assert_allclose(tf.function(standard_normal, jit_compile=True)(like, SEED), eager, atol=3e-5)
    double = standard_normal(tf.zeros([7, 1000], tf.float64), SEED)
    assert double.dtype == tf.float64
    np.testing.assert_allclose(eager, double, atol=1e-5)


def test_seeds_and_shapes():
    like = tf.zeros([4, 3, 5])
    x = standard_normal(like, SEED)
    assert x.shape == like.shape
    assert np.all(x.numpy() != standard_normal(like, tf.constant([3, 5])).numpy())
    assert len(np.unique(x)) == 60
