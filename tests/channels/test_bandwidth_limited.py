"""BandwidthLimitedChannel: mask, gradients, marginalisation and closed forms (B1 to B7)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded.channels import (
    BandwidthLimitedChannel,
    BinaryErasureChannel,
    BinarySymmetricChannel,
    GaussianChannel,
    SymbolPrior,
)
from tfcoded.distributions import standard_normal
from tfcoded.utils import seeds

SEED = tf.constant([1, 2])
P = [0.1, 0.3, 0.0, 0.6]  # of B = 0 .. 3


def _normal(shape, seed, dtype=tf.float64):
    return standard_normal(tf.zeros(shape, dtype), tf.constant([7, seed]))


@keras.saving.register_keras_serializable(package="tests")
class Chain(SymbolPrior):
    """Band t is normal around a learned multiple of band t - 1: the least that looks at what was received."""

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones", dtype="float64")

    def sample(self, received, keep, seed):
        noise = standard_normal(received, seed)
        previous, filled = tf.zeros_like(received[..., 0, :]), []
        for t in range(received.shape[-2]):
            expected = tf.cast(self.gain, received.dtype) * previous
            filled.append(expected + 0.1 * noise[..., t, :])
            previous = tf.where(keep[..., t, tf.newaxis], received[..., t, :], filled[-1])
        return tf.stack(filled, axis=-2)


class Echo(SymbolPrior):
    """Fills in whatever it was shown."""

    def sample(self, received, keep, seed):
        return tf.identity(received)


def _plain(**options):
    """Bands of two symbols through a channel of ratio 1 that normalises nothing."""
    return BandwidthLimitedChannel(GaussianChannel(1.0, "none"), **{"bands": 3, **options})


def test_mask():
    """B1: for B = b exactly b m entries equal the received ones and the others the filler, b = 0 .. T."""
    y, filler = _normal([4, 6], 0), tf.fill([4, 6], 99.0)
    for b in range(4):
        sent = _plain()(y, seed=SEED, bands=b, filler=filler)
        received = GaussianChannel(1.0, "none").corrupt(y, w=sent["received"] - y)
        np.testing.assert_allclose(sent["received"], received)
        np.testing.assert_array_equal(sent["z"][:, : 2 * b], sent["received"][:, : 2 * b])
        np.testing.assert_array_equal(sent["z"][:, 2 * b :], filler[:, 2 * b :])
        np.testing.assert_array_equal(sent["keep"], np.tile(np.arange(3) < b, (4, 1)))
    several = _plain()(y, seed=SEED, bands=tf.constant([3, 0, 1, 2]), filler=filler)
    np.testing.assert_array_equal(np.sum(several["z"] == 99, axis=1), [0, 6, 4, 2])
    np.testing.assert_array_equal(several["bands"], [3, 0, 1, 2])


@pytest.mark.parametrize("power", ["none", "batch"])
def test_lost_bands_receive_no_gradient(power):
    """B2: exactly zero, through the symbols and through the power of the batch."""
    channel = BandwidthLimitedChannel(GaussianChannel(1.0, power), bands=3)
    mu, log_sig = _normal([4, 6], 0), _normal([4, 6], 1)
    with tf.GradientTape() as tape:
        tape.watch((mu, log_sig))
        z = channel(mu, log_sig, seed=SEED, bands=2, training=True)["z"]
        loss = tf.reduce_sum((tf.tanh(z @ _normal([6, 5], 2)) - 1) ** 2)
    for gradient in tape.gradient(loss, (mu, log_sig)):
        np.testing.assert_array_equal(gradient[:, 4:], np.zeros([4, 2]))
        assert np.all(gradient[:, :4].numpy() != 0)


def test_complete_marginalisation_is_the_mean_of_the_monte_carlo_loss():
    """B3: all else fixed, values and gradients, by enumeration of B; values in the limit of many draws."""
    mu = _normal([5, 6], 0)
    kernel, w, filler = _normal([6, 4], 1), _normal([5, 6], 2), _normal([5, 6], 3)

    def loss(z):
        return tf.reduce_sum((tf.tanh(z @ kernel) - 1) ** 2, axis=-1)

    complete = _plain(probabilities=P, marginalise="complete")
    with tf.GradientTape() as tape:
        tape.watch((mu, kernel))
        sent = complete(mu, w=w, filler=tf.tile(filler, [3, 1]))
        whole = tf.reduce_mean(complete.average(loss(sent["z"]), sent["weights"]))
    gradients = tape.gradient(whole, (mu, kernel))
    np.testing.assert_array_equal(sent["bands"], np.repeat([0, 1, 3], 5))
    np.testing.assert_allclose(sent["weights"], [0.1, 0.3, 0.6])
    with tf.GradientTape() as tape:
        tape.watch((mu, kernel))
        each = [tf.reduce_mean(loss(_plain()(mu, w=w, filler=filler, bands=b)["z"])) for b in range(4)]
        enumerated = tf.add_n([p * value for p, value in zip(P, each)])
    np.testing.assert_allclose(whole, enumerated, rtol=1e-12)
    for a, b in zip(gradients, tape.gradient(enumerated, (mu, kernel))):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    # 4000 draws of B for each of the five codewords, 4.5 standard errors each.
    mu, w, filler = [tf.tile(tensor, [4000, 1]) for tensor in (mu, w, filler)]
    drawn = _plain(probabilities=P)(mu, seed=SEED, w=w, filler=filler)
    np.testing.assert_array_equal(drawn["weights"], [1])
    losses = complete.average(loss(drawn["z"]), drawn["weights"]).numpy().reshape(4000, 5)
    expected = complete.average(loss(sent["z"]), sent["weights"]).numpy()
    for i in range(5):
        assert_mean(losses[:, i], expected[i])


def test_bandwidths_follow_their_distribution():
    """Each frequency within 4.5 standard errors; what has probability 0 is never drawn, however often."""
    y = tf.zeros([200000, 3])
    bands = _plain(probabilities=P)(y, seed=SEED)["bands"].numpy()
    for b, p in enumerate(P):
        assert_mean(bands == b, p) if p else np.testing.assert_array_equal(bands == b, False)
    assert_mean((bands[1:] - bands.mean()) * (bands[:-1] - bands.mean()), 0)
    uniform = _plain()(y, seed=SEED)["bands"].numpy()
    for b in (1, 2, 3):
        assert_mean(uniform == b, 1 / 3)


@pytest.mark.parametrize("snr", [1.0, 4.0])
def test_optimal_linear_decoder_per_band(snr):
    """B4: weight c = pi / (pi (1 + 1/s) + 1 - pi), loss 1 - pi c, pi_t = (6 - t) / 5; 4.5 standard errors."""
    channel = BandwidthLimitedChannel(GaussianChannel(snr, "none"), bands=5, marginalise="complete")
    x = _normal([40000, 10], 0)
    sent = channel(x, seed=SEED)
    for t in range(1, 6):
        arrives = (6 - t) / 5
        weight = arrives / (arrives * (1 + 1 / snr) + 1 - arrives)
        symbol, z = tf.tile(x, [5, 1])[:, 2 * t - 1], sent["z"][:, 2 * t - 1]
        loss = channel.average((weight * z - symbol) ** 2, sent["weights"])
        assert_mean(loss, 1 - arrives * weight)
        slope = channel.average((weight * z - symbol) * z, sent["weights"])
        assert_mean(slope, 0)  # the weight is the best one
    if snr == 1:
        np.testing.assert_allclose(1 - arrives * weight, 1 - 0.2**2 / 1.2)  # the form for s = 1, last band


def test_distortion_is_linear_in_the_bandwidth():
    """B5: with known B and posterior means, D(B) = n - B m s / (1 + s); 4.5 standard errors."""
    snr, m, n = 4.0, 2, 10
    x = _normal([20000, n], 0)
    for b in range(6):
        channel = BandwidthLimitedChannel(GaussianChannel(snr, "none"), bands=5)
        sent = channel(x, seed=seeds.derive(SEED, b), bands=b)
        mean = tf.repeat(sent["keep"], m, axis=1) * sent["z"] * snr / (1 + snr)
        assert_mean(tf.reduce_sum((mean - x) ** 2, axis=1), n - b * m * snr / (1 + snr))


def test_bands_are_not_exchangeable():
    """B6: sending the band with more power first is better, by (pi_1 - pi_3) (9 - 1) s/(1+s) per symbol."""
    x = _normal([20000, 3], 0) * [3.0, 2.0, 1.0]
    channel = BandwidthLimitedChannel(GaussianChannel(1.0, "batch"), bands=3, marginalise="complete")
    losses = []
    for order in ([0, 1, 2], [2, 1, 0]):
        sent = channel(tf.gather(x, order, axis=1), seed=SEED, training=True)
        scale = np.array([3.0, 2.0, 1.0])[order]
        mean = sent["keep"] * sent["z"] * scale / 2
        error = (mean - tf.tile(tf.gather(x, order, axis=1), [3, 1])) ** 2
        losses.append(channel.average(tf.reduce_sum(error, axis=1), sent["weights"]).numpy())
    assert_mean(losses[1] - losses[0], (1 - 1 / 3) * 8 / 2)


def test_filler_depends_on_what_was_received_and_on_nothing_else():
    """B7: gradient of the filler in the bands received, none in lost ones, and none at all by default."""
    y = _normal([4, 6], 0)
    for filler_grad in (True, False):
        channel = _plain(prior=Chain(), filler_grad=filler_grad)
        with tf.GradientTape() as tape:
            tape.watch(y)
            filler = channel(y, seed=SEED, bands=2)["z"][:, 4:]
        d_y, d_gain = tape.gradient(filler, (y, channel.prior.gain.value))
        if filler_grad:
            np.testing.assert_allclose(d_y, np.tile([0.0, 0, 1, 1, 0, 0], [4, 1]))
            assert abs(d_gain) > 0
        else:
            assert np.all(d_y == 0) and d_gain is None
    first = channel(y, seed=SEED, bands=2)["z"]
    lost = channel(y + [0, 0, 0, 0, 7, 7], seed=SEED, bands=2)["z"]
    np.testing.assert_array_equal(lost, first)
    seen = channel(y + [0, 0, 7, 7, 0, 0], seed=SEED, bands=2)["z"]
    np.testing.assert_allclose((seen - first)[:, 4:], np.full([4, 2], 7.0))
    np.testing.assert_array_equal(_plain(prior=Echo())(y, seed=SEED, bands=2)["z"][:, 4:], np.zeros([4, 2]))
    # A symbol that is not a number does no harm once it is lost.
    broken = channel(y + [0, 0, 0, 0, np.nan, np.inf], seed=SEED, bands=2)["z"]
    np.testing.assert_array_equal(broken, first)


def test_law_of_the_filler():
    """Variance 1, or 1 + 1/s after the channel's noise; fresh for every copy, unlike what was received."""
    y = tf.zeros([3000, 6])
    for fill_noise, variance in [("none", 1.0), ("channel", 2.0)]:
        z = _plain(fill_noise=fill_noise)(y, seed=SEED, bands=0)["z"]
        assert_mean(z, 0)
        assert_mean(z**2, variance)
    sent = _plain(marginalise="complete")(y, seed=SEED)
    copies = sent["z"].numpy().reshape(3, 3000, 6)
    for k in range(3):
        received = 2 * (k + 1)
        np.testing.assert_array_equal(copies[k, :, :received], sent["received"][:, :received])
    assert np.all(copies[0, :, 4:] != copies[1, :, 4:])
    assert_mean(copies[0, :, 4:] * copies[1, :, 4:], 0)
    assert_mean(copies[0, :, 4:] * sent["received"][:, 4:], 0)


def test_bands_can_be_revealed():
    y = _normal([4, 6], 0, tf.float32)
    sent = _plain(reveal_bands=True)(y, seed=SEED)
    np.testing.assert_array_equal(sent["decoder_input"], tf.concat([sent["z"], sent["keep"]], axis=-1))
    hidden = _plain()(y, seed=SEED)
    np.testing.assert_array_equal(hidden["decoder_input"], sent["z"])


def test_the_end_of_the_channel_alone():
    channel = BandwidthLimitedChannel(GaussianChannel(1.0), bands=3, prior=Chain(), reveal_bands=True)
    sent = channel(_normal([4, 6], 0, tf.float32), seed=SEED, bands=tf.constant([0, 1, 2, 3]))
    seen = channel.receive(sent["received"], tf.constant([0, 1, 2, 3]), SEED)
    assert set(seen) == {"z", "keep", "bands", "decoder_input"}
    for name, value in seen.items():
        np.testing.assert_array_equal(value, sent[name], err_msg=name)
    filled = channel.receive(sent["received"], 1, filler=tf.fill([4, 6], 9.0))["z"]
    np.testing.assert_array_equal(filled[:, 2:], np.full([4, 4], 9.0))
    with pytest.raises(ValueError, match=r"bands must lie in \[0, 3\], got 4"):
        channel.receive(sent["received"], 4, SEED)


def test_any_channel_and_any_batch_shape():
    bits = tf.cast(_normal([2, 3, 6], 0) > 0, tf.int32)
    for inner, symbols, vector in [
        (BinarySymmetricChannel(0.9), bits, []),
        (BinarySymmetricChannel(0.9, mode="relaxed"), 8.0 * tf.cast(bits, tf.float32) - 4, []),
        (BinaryErasureChannel(0.1), bits, [3]),
        (GaussianChannel(1.0, "codeword", bands=3), _normal([2, 3, 6], 1), []),
    ]:
        sent = BandwidthLimitedChannel(inner, bands=3, marginalise="complete")(symbols, seed=SEED)
        assert sent["z"].shape == [6, 3, 6, *vector] and sent["keep"].shape == [6, 3, 3]
        np.testing.assert_array_equal(sent["bands"], np.repeat([1, 2, 3], 2)[:, None] * np.ones([1, 3]))
        channel = BandwidthLimitedChannel(inner, bands=3)
        sent = channel(symbols, seed=SEED, bands=1)
        assert sent["z"].shape == [2, 3, 6, *vector] and sent["z"].dtype == sent["received"].dtype
        seen = channel.receive(sent["received"], 1, SEED)
        np.testing.assert_array_equal(seen["z"], sent["z"])
        assert seen["keep"].shape == [2, 3, 3]
        if vector:
            np.testing.assert_array_equal(sent["z"][..., 2:, 2], np.ones([2, 3, 4]))  # erased
    values = tf.reshape(tf.range(24.0), [6, 4])
    averaged = BandwidthLimitedChannel.average(values, tf.constant([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(averaged, values[:2] * 0.5 + values[2:4] * 0.25 + values[4:] * 0.25)


def test_xla_equals_eager():
    complete = BandwidthLimitedChannel(
        GaussianChannel(1.0), bands=3, marginalise="complete", prior=Chain(), fill_noise="channel"
    )
    one = _plain(probabilities=P)
    mu = _normal([4, 6], 0, tf.float32)

    def run(mu):
        with tf.GradientTape() as tape:
            tape.watch(mu)
            sent = complete(mu, seed=SEED, training=True)
        return [*sent.values(), tape.gradient(sent["z"], mu), one(mu, seed=SEED, w=mu)["bands"]]

    eager = run(mu)
    assert complete.channel.power_weight.numpy() > 0  # training reaches the channel inside
    for compiled, value in zip(tf.function(run, jit_compile=True)(mu), eager):
        np.testing.assert_allclose(compiled, value, rtol=1e-5, atol=3e-5)


def test_configuration_round_trip_and_saved_model(tmp_path):
    channel = _plain(
        probabilities=P,
        marginalise="complete",
        prior=Chain(),
        fill_noise="channel",
        filler_grad=True,
        reveal_bands=True,
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(channel))
    assert again.get_config() == channel.get_config() and isinstance(again.prior, Chain)
    mu, seed = keras.Input([6]), keras.Input(batch_shape=[2], dtype="int32")
    inner = BandwidthLimitedChannel(GaussianChannel(1.0), bands=3, marginalise="complete", prior=Chain())
    model = keras.Model([mu, seed], inner(mu, seed=seed)["z"])
    inputs = [_normal([4, 6], 0, tf.float32), SEED]
    model(inputs, training=True)
    inner.prior.gain.assign(0.3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.layers[-1].prior.gain.numpy() == 0.3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"bands": 0}, "bands must be a positive integer"),
        ({"bands": 2, "probabilities": [0.5, 0.5]}, r"P\(B\) for B = 0 .. 2, 3 numbers that sum to 1"),
        ({"bands": 2, "probabilities": [0.5, 0.5, 0.5]}, "sum to 1"),
        ({"bands": 2, "probabilities": [-0.5, 0.5, 1]}, "probabilities must lie in"),
        ({"marginalise": "exact"}, "marginalise must be one of"),
        ({"channel": GaussianChannel(power="codeword")}, r"power='codeword', bands=5\)"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BandwidthLimitedChannel(**{"channel": GaussianChannel(), **options})


@pytest.mark.parametrize(
    "shape, options, message",
    [
        ([2, 7], {"seed": SEED}, "7 symbols cannot be divided into 3 equal bands"),
        ([6], {"seed": SEED}, "with a batch axis"),
        ([2, 6], {"w": np.zeros([2, 6], np.float32)}, "given no seed; .* or the draw itself as bands="),
        ([2, 6], {"w": np.zeros([2, 6], np.float32), "bands": 1}, "or the draw itself as filler="),
        ([2, 6], {"seed": SEED, "bands": 4}, r"bands must lie in \[0, 3\], got 4"),
        ([2, 6], {"seed": SEED, "bands": np.int64(-1)}, r"bands must lie in \[0, 3\], got -1"),
        ([2, 6], {"seed": SEED, "bands": tf.constant(1.5)}, "bands must be integers"),
    ],
)
def test_bad_input_is_refused(shape, options, message):
    with pytest.raises(ValueError, match=message):
        _plain()(tf.zeros(shape), **options)
