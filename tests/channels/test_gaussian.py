"""GaussianChannel: power and noise (G1, G4, G5, G7), gradients, precision, XLA, serialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded.channels import (
    GaussianChannel,
    channel_distribution,
    encoder_distribution,
    measured_snr,
    received_distribution,
)
from tfcoded.distributions import standard_normal

SEED = tf.constant([1, 2])


def _normal(shape, seed, dtype=tf.float64):
    return standard_normal(tf.zeros(shape, dtype), tf.constant([7, seed]))


MU = 3 * _normal([6, 8], 0) + np.linspace(-5, 5, 8)
LOG_SIG = _normal([6, 8], 1)
EPS, W = _normal([6, 8], 2), _normal([6, 8], 3)


@pytest.mark.parametrize("power", ["batch", "codeword"])
@pytest.mark.parametrize("snr", [0.1, 1.0, 10.0])
def test_signal_to_noise_ratio_is_one_of_powers(power, snr):
    """G1: the amplitude reading would give snr^2."""
    mu = 3 * _normal([4000, 20], 4, tf.float32) + 1
    sent = GaussianChannel(snr, power)(mu, 0.1 * mu, seed=SEED, training=True)
    y, error = sent["y"].numpy(), (sent["z"] - sent["y"]).numpy()
    assert_mean(error**2, 1 / snr)
    if power == "codeword":
        np.testing.assert_allclose(np.mean(y**2, axis=1), np.ones(4000), rtol=1e-5)
    else:
        assert_mean(y**2, 1)
        powers = np.mean(sent["mu"] ** 2 + sent["sig"] ** 2, axis=0)
        np.testing.assert_allclose(powers, np.ones(20), rtol=1e-5)
    # 80,000 squares of normal numbers: relative standard error 0.005 of either power.
    np.testing.assert_allclose(measured_snr(sent["y"], sent["z"]), snr, rtol=0.04)


def test_noise_is_white():
    """Symbols, codewords, the encoder's noise and the channel's are uncorrelated (4.5 standard errors)."""
    zero = tf.zeros([30000, 3])
    sent = GaussianChannel(1.0, "none")(zero, zero, seed=SEED)
    eps, w = sent["y"].numpy(), (sent["z"] - sent["y"]).numpy()
    for a, b in [(eps, w), (w[:, 0], w[:, 1]), (w[1:], w[:-1]), (eps[1:], w[:-1])]:
        assert_mean(a * b, 0)


@pytest.mark.parametrize("power", ["batch", "codeword"])
def test_scale_of_the_encoder_does_not_matter(power):
    """G2: mu and sig ten times as large leave z as it is."""
    channel = GaussianChannel(2.0, power)
    first = channel(MU, LOG_SIG, eps=EPS, w=W, training=True)
    scaled = channel(10 * MU, LOG_SIG + np.log(10), eps=EPS, w=W, training=True)
    np.testing.assert_allclose(scaled["z"], first["z"], rtol=1e-12)


def test_codeword_power_band_by_band():
    mu = MU * np.repeat([1.0, 100.0], 4)
    y = GaussianChannel(1.0, "codeword", bands=2)(mu, w=W)["y"].numpy().reshape(6, 2, 4)
    np.testing.assert_allclose(np.sum(y**2, axis=-1), np.full((6, 2), 4.0), rtol=1e-12)
    whole = GaussianChannel(1.0, "codeword")(mu, w=W)["y"].numpy()
    np.testing.assert_allclose(np.sum(whole**2, axis=-1), np.full(6, 8.0), rtol=1e-12)
    assert np.all(np.sum(whole[:, :4] ** 2, axis=-1) < 1)


def test_element_mode_is_the_printed_formula():
    """G4: bit for bit at ratios whose root is exact; gradients in mu and sig."""
    sig = np.exp(LOG_SIG)
    for snr, reading, divisor in [(4.0, "power", 2.0), (4.0, "amplitude", 4.0), (1.0, "power", 1.0)]:
        channel = GaussianChannel(snr, "element", reading)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch((MU, LOG_SIG))
            z = channel(MU, LOG_SIG, eps=EPS, w=W)["z"]
        np.testing.assert_array_equal(z, MU + tf.exp(LOG_SIG) * EPS + tf.abs(MU) * W / divisor)
        np.testing.assert_allclose(tape.gradient(z, MU), 1 + np.sign(MU) * W / divisor, rtol=1e-14)
        np.testing.assert_allclose(tape.gradient(z, LOG_SIG), sig * EPS, rtol=1e-14)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((MU, LOG_SIG))
        z = GaussianChannel(4.0, "none")(MU, LOG_SIG, eps=EPS, w=W)["z"]
    np.testing.assert_array_equal(z, MU + tf.exp(LOG_SIG) * EPS + 0.5 * W)
    np.testing.assert_array_equal(tape.gradient(z, MU), np.ones_like(MU))
    np.testing.assert_allclose(tape.gradient(z, LOG_SIG), sig * EPS, rtol=1e-14)


@pytest.mark.parametrize("options", [{"power": "batch"}, {"power": "codeword", "bands": 2}])
def test_gradients_through_the_normalisation_equal_finite_differences(options):
    channel = GaussianChannel(2.0, **options)
    slope = _normal([6, 8], 5)

    def value(mu, log_sig):
        return tf.reduce_sum(slope * channel(mu, log_sig, eps=EPS, w=W, training=True)["z"] ** 2)

    with tf.GradientTape() as tape:
        tape.watch((MU, LOG_SIG))
        result = value(MU, LOG_SIG)
    d_mu, d_log_sig = (g.numpy() for g in tape.gradient(result, (MU, LOG_SIG)))
    step = 1e-6
    for i, j in [(0, 0), (3, 5), (5, 7)]:
        bump = np.zeros((6, 8))
        bump[i, j] = step
        numeric = (value(MU + bump, LOG_SIG) - value(MU - bump, LOG_SIG)) / (2 * step)
        np.testing.assert_allclose(d_mu[i, j], numeric, rtol=1e-5, atol=1e-8)
        numeric = (value(MU, LOG_SIG + bump) - value(MU, LOG_SIG - bump)) / (2 * step)
        np.testing.assert_allclose(d_log_sig[i, j], numeric, rtol=1e-5, atol=1e-8)


def test_noise_that_grows_with_the_symbol_carries_anything():
    """G5: the code exp(20 u) is read off under "element"; under "batch" the best regression fails.

    Half a bit per symbol allows a relative error of 0.5 and no less. Where the code is normalised, its power
    lies in a handful of symbols and the error is near 1.
    """
    u = _normal([20000, 1], 6)
    code = tf.exp(20 * u)
    z = GaussianChannel(1.0, "element")(code, seed=SEED)["z"]
    assert np.mean((np.log(np.abs(z)) / 20 - u) ** 2) < 0.02
    z = GaussianChannel(1.0, "batch")(code, seed=SEED, training=True)["z"].numpy().ravel()
    # Conditional means in 50 bins of z, from one half of the symbols, applied to the other half.
    u = u.numpy().ravel()
    edges = np.quantile(z[:10000], np.linspace(0, 1, 51)[1:-1])
    bins = np.digitize(z, edges)
    means = np.array([u[:10000][bins[:10000] == b].mean() for b in range(50)])
    assert 0.45 < np.mean((means[bins[10000:]] - u[10000:]) ** 2) < 1.1


def test_inference_uses_the_average_power_of_training():
    """G7: an image alone is sent as it is among others."""
    channel = GaussianChannel(1.0, decay=0.9)
    np.testing.assert_allclose(channel(MU, w=W)["y"], MU)  # nothing is known: nominal unit power
    channel(MU, LOG_SIG, eps=EPS, w=W, training=True)
    sig = np.exp(LOG_SIG)
    power = np.mean(MU**2 + sig**2, axis=0)
    many = channel(MU, LOG_SIG, eps=EPS, w=W)
    np.testing.assert_allclose(many["mu"], MU / np.sqrt(power), rtol=1e-5)  # one batch: its power, no bias
    alone = channel(MU[2:3], LOG_SIG[2:3], eps=EPS[2:3], w=W[2:3])
    np.testing.assert_array_equal(alone["z"], many["z"][2:3])
    channel(10 * MU, w=W, training=True)
    expected = (0.09 * power + 0.1 * np.mean((10 * MU) ** 2, axis=0)) / 0.19
    np.testing.assert_allclose(channel(MU, w=W)["mu"], MU / np.sqrt(expected), rtol=1e-5)
    # In a part of a batch without images there is nothing to be measured.
    channel(MU[:0], w=W[:0], training=True)
    np.testing.assert_allclose(channel(MU, w=W)["mu"], MU / np.sqrt(expected), rtol=1e-5)
    assert not channel.trainable_weights


def test_a_symbol_without_power_stays_zero():
    for power in ("batch", "codeword"):
        channel = GaussianChannel(1.0, power)
        zero = tf.Variable(tf.zeros([3, 4]))
        with tf.GradientTape() as tape:
            y = channel(zero, seed=SEED, training=True)["y"]
        assert np.all(y == 0) and np.all(np.isfinite(tape.gradient(y, zero)))


def test_densities():
    """The three laws, by their definitions and by samples; y and z of one codeword follow them."""
    sent = GaussianChannel(4.0, "none")(MU, LOG_SIG, eps=EPS, w=W)
    sig = np.exp(LOG_SIG)
    for distribution, value, mean, variance in [
        (encoder_distribution(sent), sent["y"], MU, sig**2),
        (channel_distribution(sent), sent["z"], sent["y"], 0.25 + 0 * sig),
        (received_distribution(sent), sent["z"], MU, sig**2 + 0.25),
    ]:
        squares = (value - mean) ** 2 / variance
        exact = -0.5 * np.sum(squares + np.log(2 * np.pi * variance), axis=1)
        np.testing.assert_allclose(distribution.log_prob(value), exact, rtol=1e-12)
    draws = GaussianChannel(4.0, "none")(tf.ones([50000, 1]), tf.ones([50000, 1]), seed=SEED)
    assert_mean((draws["z"] - 1) ** 2, np.exp(2) + 0.25)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_any_batch_shape(shape):
    for power in ("batch", "codeword", "none", "element"):
        sent = GaussianChannel(1.0, power)(tf.ones(shape), tf.zeros(shape), seed=SEED, training=True)
        assert {sent[name].shape.as_list() == list(shape) for name in ("y", "z", "mu", "sig")} == {True}


def test_graph_and_xla_equal_eager():
    channel = GaussianChannel(3.0)
    mu, log_sig = tf.cast(MU, tf.float32), tf.cast(LOG_SIG, tf.float32)

    def run(mu, log_sig):
        with tf.GradientTape() as tape:
            tape.watch(mu)
            sent = channel(mu, log_sig, seed=SEED, training=True)
        return *sent.values(), tape.gradient(sent["z"], mu)

    eager = run(mu, log_sig)
    for jit in (False, True):
        for a, b in zip(eager, tf.function(run, jit_compile=jit)(mu, log_sig)):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-5)
    np.testing.assert_allclose(channel.power_weight, 1 - 0.99**3, rtol=1e-5)


def test_half_precision_is_widened_under_a_mixed_policy():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        channel = GaussianChannel(3.0)
        mu = tf.cast(MU, tf.bfloat16)
        sent = channel(mu, tf.cast(LOG_SIG, tf.bfloat16), seed=SEED, training=True)
        wide = channel(tf.cast(mu, tf.float32), seed=SEED, training=True)
    finally:
        keras.config.set_dtype_policy(policy)
    assert {value.dtype for value in [*sent.values(), *wide.values()]} == {tf.float32}
    assert channel.power_sum.dtype == "float32"
    np.testing.assert_allclose(np.mean(wide["mu"] ** 2, axis=0), np.ones(8), rtol=1e-6)


def test_configuration_round_trip_and_saved_model(tmp_path):
    channel = GaussianChannel(2.0, "codeword", bands=2, name="air")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(channel))
    assert again.get_config() == channel.get_config() and again.bands == 2 and again.name == "air"
    mu, seed = keras.Input([8]), keras.Input(batch_shape=[2], dtype="int32")
    model = keras.Model([mu, seed], GaussianChannel(2.0)(mu, seed=seed)["z"])
    model([tf.cast(MU, tf.float32), SEED], training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs = [tf.cast(MU, tf.float32), SEED]
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.layers[-1].power_weight.numpy() > 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"snr": 0.0}, "snr must be positive"),
        ({"power": "loud"}, "power must be one of 'batch', 'codeword', 'none', 'element', got 'loud'"),
        ({"reading": "amplitude"}, "ablation of power='element'"),
        ({"bands": 2}, "normalised by power='codeword' only"),
        ({"power": "codeword", "bands": 0}, "bands must be a positive integer"),
        ({"decay": 1.0}, "decay must lie in"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianChannel(**options)


@pytest.mark.parametrize(
    "mu, options, message",
    [
        (tf.zeros([2, 4]), {}, "given no seed; pass seed="),
        (tf.zeros([2, 4], tf.int32), {"seed": SEED}, "mu must be real numbers in floating point, got int32"),
        (tf.zeros([2, 4]), {"log_sig": tf.zeros([2, 3]), "seed": SEED}, "log_sig must have the shape"),
        (tf.zeros([2, 4]), {"w": tf.zeros([4])}, "w must have the shape"),
        (tf.zeros([2, 4]), {"seed": tf.zeros([3], tf.int32)}, r"seed must be int32 \[2\]"),
        (tf.zeros([2, 4]), {"seed": tf.zeros([2])}, r"seed must be int32 \[2\]"),
        (tf.zeros([2, 5]), {"seed": SEED}, "5 symbols cannot be divided into 2 equal bands"),
    ],
)
def test_bad_input_is_refused(mu, options, message):
    with pytest.raises(ValueError, match=message):
        GaussianChannel(1.0, "codeword", bands=2)(mu, **options)
