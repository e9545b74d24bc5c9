"""Erasures of bits and of real symbols (E1)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded.channels import (
    BandwidthLimitedChannel,
    BinaryErasureChannel,
    BinarySymmetricChannel,
    ErasureChannel,
    GaussianChannel,
    GaussianPrior,
)
from tfcoded.distributions import standard_normal

SEED = tf.constant([1, 2])
BITS = tf.constant(np.random.default_rng(0).integers(0, 2, [400, 100]), tf.float32)


def test_bits_arrive_or_are_erased():
    """E1: rate, for either bit; what is not erased is right."""
    sent = BinaryErasureChannel(0.3)(BITS, seed=SEED)
    z, keep = sent["z"].numpy(), sent["keep"].numpy()
    for bit in (0, 1):
        assert_mean(keep[BITS.numpy() == bit], 0.7)
    np.testing.assert_array_equal(z.sum(axis=-1), np.ones([400, 100]))
    np.testing.assert_array_equal(z[..., 2], 1 - keep)
    np.testing.assert_array_equal(z[..., 1], keep * BITS)
    assert np.all(BinaryErasureChannel(0.0)(BITS, seed=SEED)["keep"] == 1)
    assert np.all(BinaryErasureChannel(1.0)(BITS, seed=SEED)["keep"] == 0)


def test_collapsed_law_of_an_erasure_channel():
    """((1-e)(1-a), (1-e)a, e), and by simulation (4.5 standard errors)."""
    channel, e = BinaryErasureChannel(0.3), 0.3
    a = np.array([0.1, 0.5, 0.8])
    probabilities = np.exp(channel.received_log_probs(np.log(a / (1 - a))))
    expected = np.stack([(1 - e) * (1 - a), (1 - e) * a, 0 * a + e], axis=-1)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-9)
    bits = np.random.default_rng(1).uniform(size=[50000, 3]) < a
    z = channel(tf.constant(bits, tf.float32), seed=SEED)["z"].numpy()
    for i in range(3):
        for outcome in range(3):
            assert_mean(z[:, i, outcome], probabilities[i, outcome])
    assert np.all(np.isfinite(BinaryErasureChannel(0.5).received_log_probs(tf.constant([-200.0, 200.0]))))


def test_ratio_of_an_erased_bit_is_zero():
    channel = BinaryErasureChannel(0.5)
    sent = channel(tf.constant([[0, 1, 1, 0]]), w=tf.constant([[1, 1, 0, 0]]))
    np.testing.assert_array_equal(sent["z"], [[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]])
    np.testing.assert_array_equal(channel.log_likelihood_ratio(sent["z"]), [[-100, 100, 0, 0]])


def test_relaxed_bits_pass_with_their_gradient():
    y = tf.Variable([[0.2, 0.7]])
    with tf.GradientTape() as tape:
        z = BinaryErasureChannel(0.5)(y, w=tf.constant([[1.0, 0.0]]))["z"]
        value = tf.reduce_sum(z * [1.0, 10.0, 100.0])
    np.testing.assert_allclose(z, [[[0.8, 0.2, 0], [0, 0, 1]]])
    np.testing.assert_allclose(tape.gradient(value, y), [[9, 0]])


def test_real_symbols_are_lost_one_by_one():
    """E1: the rate, of each symbol and each codeword; zeros in their place, and the others as received."""
    y = standard_normal(tf.zeros([1000, 40]), tf.constant([3, 4]))
    sent = ErasureChannel(GaussianChannel(1.0, "none"), 0.3)(y, seed=SEED)
    z, keep = sent["z"].numpy(), sent["keep"].numpy()
    np.testing.assert_array_equal(z, keep * sent["received"])
    assert_mean(keep, 0.7)
    assert_mean((keep[:, 1:] - 0.7) * (keep[:, :-1] - 0.7), 0)  # no suffix: neighbours are independent
    assert_mean((sent["received"] - y) ** 2, 1)


def test_symbols_sent_as_they_are_are_lost_too():
    """`corrupt` is the law that `call` has, of the other channel's noise and the losses; alone and inside another."""
    y = standard_normal(tf.zeros([1000, 40]), tf.constant([3, 4]))
    channel = ErasureChannel(GaussianChannel(1.0, "none"), 0.3)
    channel.build(y.shape)
    z = channel.corrupt(y, SEED).numpy()
    np.testing.assert_array_equal(z, channel(y, seed=SEED)["z"])
    assert_mean(z == 0, 0.3)
    with pytest.raises(ValueError, match="seed"):
        channel.corrupt(y, w=y)
    outer = BandwidthLimitedChannel(channel, bands=5)
    assert_mean(outer(y, seed=SEED, bands=5)["z"] == 0, 0.3)
    assert_mean(outer.receive(outer.corrupt(y, SEED), 5, SEED)["z"] == 0, 0.3)


def test_filler_of_a_prior():
    y = 5 + tf.zeros([1000, 10])
    for fill_noise, variance in [("none", 1.0), ("channel", 1.5)]:
        channel = ErasureChannel(GaussianChannel(2.0, "none"), 0.4, prior=GaussianPrior(), fill_noise=fill_noise)
        sent = channel(y, seed=SEED)
        filler = sent["z"].numpy()[sent["keep"].numpy() == 0]
        assert_mean(filler, 0)
        assert_mean(filler**2, variance)


def test_a_bandwidth_limited_channel_is_one_with_erasures_at_the_end():
    y = standard_normal(tf.zeros([3, 10]), tf.constant([3, 4]))
    filler = tf.fill([3, 10], 9.0)
    bands = tf.constant([0, 2, 5])
    limited = BandwidthLimitedChannel(GaussianChannel(1.0, "none"), bands=5)
    erased = ErasureChannel(GaussianChannel(1.0, "none"), 0.5)
    keep = tf.repeat(tf.range(5) < bands[:, tf.newaxis], 2, axis=1)
    expected = erased(y, seed=SEED, keep=keep, filler=filler)
    got = limited(y, seed=SEED, bands=bands, filler=filler)
    np.testing.assert_array_equal(got["z"], expected["z"])
    np.testing.assert_array_equal(got["received"], expected["received"])


def test_xla_equals_eager_and_training_reaches_the_channel_inside():
    symbols, bits = ErasureChannel(GaussianChannel(1.0), 0.3), BinaryErasureChannel(0.3)
    mu = 3 * standard_normal(tf.zeros([2, 3, 8]), tf.constant([3, 4]))

    def run():
        sent = symbols(mu, seed=SEED, training=True)
        return [*sent.values(), bits(tf.cast(mu > 0, tf.int32), seed=SEED)["z"]]

    eager = run()
    assert symbols.channel.power_weight.numpy() > 0
    for compiled, value in zip(tf.function(run, jit_compile=True)(), eager):
        np.testing.assert_allclose(compiled, value, rtol=1e-5, atol=3e-5)


def test_configuration_round_trip():
    inner = BinarySymmetricChannel(0.9, mode="relaxed")
    for channel in (BinaryErasureChannel(0.2), ErasureChannel(inner, 0.2, GaussianPrior(), "channel")):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(channel))
        assert again.get_config() == channel.get_config() and again.erase_prob == 0.2
    assert isinstance(again.prior, GaussianPrior) and again.channel.mode == "relaxed"


@pytest.mark.parametrize("bits", [[[0, 2, 1, -7]], [[0.0, 1.5]], [[1.0, np.nan]]])
def test_what_is_no_bit_is_refused(bits):
    channel = BinaryErasureChannel(0.2)
    for function in (channel, channel.corrupt):
        with pytest.raises(ValueError, match="BinaryErasureChannel takes bits, numbers from 0 to 1; got"):
            function(tf.constant(bits), seed=(1, 2))
    with pytest.raises(ValueError, match=r"one-hot, \[..., 3\].*got \(1, 2\)"):
        channel.log_likelihood_ratio(tf.zeros([1, 2]))
    with pytest.raises(ValueError, match="numbers from 0 to 1; got 2"):
        channel.log_likelihood_ratio(tf.constant([[0.0, 2.0, -1.0]]))


def test_bad_arguments_are_refused():
    inner = GaussianChannel()
    for make, message in [
        (lambda: BinaryErasureChannel(1.5), "erase_prob must lie in"),
        (lambda: ErasureChannel(inner, -0.1), "erase_prob must lie in"),
        (lambda: ErasureChannel("gaussian", 0.1), "channel must be a tfcoded.channels.Channel"),
        (lambda: ErasureChannel(inner, 0.1, prior="normal"), "prior must be a tfcoded.channels.SymbolPrior"),
        (lambda: ErasureChannel(inner, 0.1, fill_noise="loud"), "fill_noise must be"),
        (lambda: ErasureChannel(inner, 0.1)(tf.zeros([2, 4])), "given no seed"),
        (lambda: ErasureChannel(inner, 0.1)(tf.zeros([4]), seed=SEED), "with a batch axis"),
        (lambda: BinaryErasureChannel(0.1)(tf.zeros([2, 4])), "given no seed"),
        (
            lambda: ErasureChannel(BinaryErasureChannel(0.1), 0.1, fill_noise="channel")(BITS, seed=SEED),
            "fill_noise='channel' sends filler through BinaryErasureChannel",
        ),
        (
            lambda: ErasureChannel(BinarySymmetricChannel(0.9), 0.1)(BITS, log_sig=BITS, seed=SEED),
            "BinarySymmetricChannel, takes no log_sig",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
