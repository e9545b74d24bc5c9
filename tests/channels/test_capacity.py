"""Capacities, signal-to-noise ratios and rates against closed forms."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from sampled import assert_mean

from tfcoded.channels import (
    BandwidthLimitedChannel,
    BinaryErasureChannel,
    BinarySymmetricChannel,
    ErasureChannel,
    GaussianChannel,
    binary_entropy,
    binary_symmetric_capacity,
    binary_symmetric_snr,
    erasure_capacity,
    gaussian_capacity,
    keep_probability,
    measured_snr,
    sampled_rate,
    snr_from_decibel,
    snr_to_decibel,
    source_rate,
    transmission_rate,
)
from tfcoded.distributions import standard_normal

tfd = tfp.distributions


def test_gaussian_capacity():
    """G3."""
    np.testing.assert_allclose(gaussian_capacity([1, 3, 15]), [0.5, 1, 2], rtol=1e-15)
    np.testing.assert_allclose(gaussian_capacity(1e-12), 0.5e-12 / np.log(2), rtol=1e-9)  # not rounded to 0
    assert GaussianChannel(3.0).capacity_bits == 1
    assert GaussianChannel(3.0, power="element").capacity_bits == np.inf


def test_binary_capacity():
    """R12, from the mutual information of uniform bits, term by term."""
    for p in (0.05, 0.5, 0.9):
        joint = np.array([[p, 1 - p], [1 - p, p]]) / 2
        information = np.sum(joint * np.log2(joint / (1 / 4)))
        np.testing.assert_allclose(binary_symmetric_capacity(p), information, atol=1e-15)
        np.testing.assert_allclose(BinarySymmetricChannel(p).capacity_bits, information, atol=1e-15)
    np.testing.assert_array_equal(binary_symmetric_capacity([0, 0.5, 1]), [1, 0, 1])
    np.testing.assert_allclose(binary_entropy([0, 0.11, 0.5, 1]), [0, 0.499916, 1, 0], atol=1e-6)


def test_capacity_of_erasures_and_of_bands():
    """E1, the capacity."""
    assert erasure_capacity(0.25) == BinaryErasureChannel(0.25).capacity_bits == 0.75
    assert ErasureChannel(GaussianChannel(1.0), 0.25).capacity_bits == 0.375
    assert BandwidthLimitedChannel(GaussianChannel(1.0)).capacity_bits == pytest.approx(0.6 * 0.5)
    one_band = BandwidthLimitedChannel(GaussianChannel(1.0), 5, probabilities=[0, 1, 0, 0, 0, 0])
    assert one_band.capacity_bits == pytest.approx(0.1)


def test_signal_to_noise_ratio_of_bits():
    """R8: measured over the hard channel, round trip, and p = 1/2."""
    snr = np.array([1e-6, 0.01, 0.1, 1, 10, 100, 1e6])
    np.testing.assert_allclose(binary_symmetric_snr(keep_probability(snr)), snr, rtol=1e-8)
    assert binary_symmetric_snr(0.5) == 0 and keep_probability(0.0) == 0.5
    assert binary_symmetric_snr(1.0) == np.inf and keep_probability(np.inf) == 1
    assert binary_symmetric_snr(0.9, p_one=0.5) == binary_symmetric_snr(0.9)
    np.testing.assert_array_equal(binary_symmetric_snr([1.0, 1.0, 0.9], p_one=[1.0, 0.5, 0.0]), [0, np.inf, 0])
    assert BinarySymmetricChannel(snr=2.0).snr == pytest.approx(2)
    # Any distribution of the bits gives the ratio; regression of z' on y' splits signal and noise.
    n, p = 200000, 0.8
    bits = (np.random.default_rng(0).uniform(size=(1, n)) < 0.3).astype(np.float32)
    z = BinarySymmetricChannel(p)(tf.constant(bits), seed=tf.constant([1, 2]))["z"].numpy()
    gain = np.mean((2 * z - 1) * (2 * bits - 1))
    ratio = gain**2 / (1 - gain**2)
    # d ratio / d gain = 2 gain / (1 - gain^2)^2; gain has standard error sqrt((1 - gain^2) / n): 4.5 of them.
    error = 4.5 * 2 * 0.6 / 0.64**2 * np.sqrt(0.64 / n)
    assert abs(ratio - binary_symmetric_snr(p)) < error < 0.05


def test_decibel():
    np.testing.assert_allclose(snr_from_decibel([-20, 0, 10]), [0.01, 1, 10])
    np.testing.assert_allclose(snr_to_decibel(snr_from_decibel([-7.0, 3.0])), [-7, 3])


def test_measured_snr():
    y, z = tf.constant([1.0, -3.0]), tf.constant([2.0, -1.0])
    assert measured_snr(y, z).numpy() == 10 / 5


def test_noise_that_follows_the_symbols_has_no_bound():
    """Its law given x has no single law to be compared with: symbols exp(u) say more than any such number."""
    mu = tf.exp(standard_normal(tf.zeros([4, 5]), tf.constant([1, 2])))
    sent = GaussianChannel(1.0, power="element")(mu, seed=tf.constant([3, 4]))
    for rate in (transmission_rate, source_rate):
        with pytest.raises(ValueError, match="follows the symbols"):
            rate(sent)


def test_transmission_rate_of_unit_power_is_the_capacity():
    """V4: T = n/2 log2(1 + s) identically; T_x <= T in the mean, and 0 if the encoder ignores its input."""
    mu = standard_normal(tf.zeros([400, 50], tf.float64), tf.constant([1, 2]))
    eps = standard_normal(mu, tf.constant([3, 4]))
    for snr in (0.1, 1.0, 10.0):
        channel = GaussianChannel(snr, power="codeword")
        rate = transmission_rate(channel(mu, eps=eps, w=eps))
        np.testing.assert_allclose(rate, np.full(400, 50 * channel.capacity_bits), rtol=1e-12)
        batch = GaussianChannel(snr)
        sent = batch(mu, log_sig=0.5 * mu - 0.5, eps=eps, w=eps, training=True)
        used, carried = np.mean(source_rate(sent)), np.mean(transmission_rate(sent))
        assert 0.1 * carried < used < 0.95 * carried
        idle = batch(0 * mu, log_sig=0 * mu, eps=eps, w=eps, training=True)
        np.testing.assert_allclose(source_rate(idle), np.zeros(400), atol=1e-12)


def test_sampled_rate_has_the_mean_of_the_closed_form():
    mu = standard_normal(tf.zeros([20000, 4]), tf.constant([1, 2]))
    sent = GaussianChannel(2.0, power="codeword")(mu, seed=tf.constant([3, 4]))
    sampled = sampled_rate(sent["z"], tfd.Normal(sent["y"], sent["noise_std"]).log_prob(sent["z"]), 1.5)
    assert_mean(sampled - transmission_rate(sent), 0)
    # Another variance makes the bound looser, never lower.
    loose = sampled_rate(sent["z"], tfd.Normal(sent["y"], sent["noise_std"]).log_prob(sent["z"]), 3.0)
    assert_mean(loose - sampled, 2 * (np.log(2) - 0.5) / np.log(2))  # four times KL(N(0, 1.5) || N(0, 3))


@pytest.mark.parametrize(
    "function, value, message",
    [
        (gaussian_capacity, 0.0, "snr must be positive"),
        (gaussian_capacity, "loud", "snr must be a number"),
        (snr_to_decibel, -1.0, "snr must be positive"),
        (keep_probability, -1.0, "snr must be zero or positive"),
        (binary_symmetric_capacity, 1.1, r"p_keep must lie in \[0, 1\]"),
        (binary_symmetric_snr, np.nan, r"p_keep must lie in \[0, 1\]"),
        (erasure_capacity, -0.1, r"erase_prob must lie in \[0, 1\]"),
    ],
)
def test_impossible_numbers_are_refused(function, value, message):
    with pytest.raises(ValueError, match=message):
        function(value)
