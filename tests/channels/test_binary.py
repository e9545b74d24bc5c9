"""BinarySymmetricChannel: hard, relaxed and mixture (R6 to R11), and what a receiver makes of its output."""

import decimal
from decimal import Decimal

import keras
import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded.channels import BinaryErasureChannel, BinaryPrior, BinarySymmetricChannel, BitChannel
from tfcoded.codes import Repetition
from tfcoded.distributions import BinaryConcreteLogit

SEED = tf.constant([1, 2])
TYPES = [tf.float32, tf.float64, tf.int32, tf.uint8]


@pytest.mark.parametrize("dtype", TYPES)
def test_truth_table(dtype):
    """R6: kept or flipped, for both bits."""
    y, w = tf.constant([0, 0, 1, 1], dtype), tf.constant([0, 1, 0, 1], dtype)
    z = BinarySymmetricChannel(0.9)(y, w=w)["z"]
    assert z.dtype == dtype
    np.testing.assert_array_equal(z, [1, 0, 0, 1])


def test_frequency_of_flips():
    """The share of either bit kept is p_keep, within 4.5 standard errors; never and always are exact."""
    for p in (0.2, 0.9):
        for bit in (0.0, 1.0):
            z = BinarySymmetricChannel(p)(tf.fill([100, 1000], bit), seed=SEED)["z"]
            assert_mean(z.numpy() == bit, p)
    bits = tf.constant([[0.0, 1.0]] * 1000)
    for mode in ("hard", "relaxed"):
        y = bits if mode == "hard" else 20 * bits - 10
        np.testing.assert_array_equal(BinarySymmetricChannel(1.0)(bits, seed=SEED)["z"], bits)
        np.testing.assert_array_equal(BinarySymmetricChannel(0.0)(bits, seed=SEED)["z"], 1 - bits)
        z = BinarySymmetricChannel(1.0, mode=mode)(y, seed=SEED)["z"]
        np.testing.assert_allclose(z, y, rtol=1e-6)


def test_relaxed_bits_stay_in_the_unit_interval_and_are_the_repaired_product():
    """R7: z = (w' y' + 1) / 2 for relaxed y and w."""
    n = 5000
    y = BinaryConcreteLogit(np.float64(2.0), 0.5).sample([n], seed=(3, 4))
    w = BinaryConcreteLogit(np.float64(2.2), 0.5).sample([n], seed=(5, 6))
    z = tf.sigmoid(BinarySymmetricChannel(0.9, mode="relaxed")(y, w=w)["z"]).numpy()
    signs = (2 * tf.sigmoid(y) - 1) * (2 * tf.sigmoid(w) - 1)
    np.testing.assert_allclose(z, (signs + 1) / 2, atol=1e-12)
    assert np.all((z > 0) & (z < 1))
    drawn = BinarySymmetricChannel(0.9, mode="relaxed")(tf.cast(y, tf.float32), seed=SEED)["z"]
    assert np.all(np.isfinite(drawn)) and np.all(np.abs(drawn) <= np.abs(tf.cast(y, tf.float32)) + 1e-5)


@pytest.mark.parametrize("mode", ["relaxed", "mixture"])
@pytest.mark.parametrize("temperature", [0.02, 0.3])
def test_relaxed_channels_flip_as_often_as_the_hard_one(mode, temperature):
    """R10: with hard inputs the output rounds to a flip with frequency 1 - p (4.5 standard errors)."""
    y = tf.constant([[-30.0, 30.0]] * 20000)
    z = BinarySymmetricChannel(0.8, mode=mode, temperature=temperature)(y, seed=SEED)["z"]
    assert_mean((z > 0) == (y > 0), 0.8)
    if temperature < 0.1:
        x = tf.sigmoid(z)
        assert np.mean((x < 0.01) | (x > 0.99)) > 0.9  # nearly bits


@pytest.mark.parametrize("mode, y", [("relaxed", np.log(9.0)), ("relaxed", -0.4), ("mixture", np.log(9.0))])
def test_density_integrates_to_one(mode, y):
    """R9, for the logit and for the bit; and the density is that of the samples (4.5 standard errors)."""
    channel = BinarySymmetricChannel(0.9, mode=mode, temperature=0.5)
    # The density of a relaxed product vanishes slowly at the ends of its support: a grid that is dense there.
    u = np.tanh(np.linspace(-18, 18, 200001)) if mode == "relaxed" else np.linspace(-40, 40, 200001)
    z = u * abs(y) if mode == "relaxed" else u
    density = np.exp(channel.log_prob(z, np.full_like(z, y)))
    np.testing.assert_allclose(np.trapezoid(density, z), 1, atol=2e-4)
    drawn = channel(tf.fill([200, 200], tf.constant(y, tf.float64)), seed=SEED)["z"]
    for cut in (-0.2, 0.1):
        assert_mean(drawn < cut, np.trapezoid(np.where(z < cut, density, 0), z))


def test_relaxed_density_is_the_printed_one():
    """C(z|y) = p_W(w) / |2y - 1| with w = ((2z-1)/(2y-1) + 1)/2, of bits; -inf outside of the support."""
    y, z = 0.9, np.array([0.15, 0.3, 0.5, 0.7, 0.85])
    p_keep, temperature = 0.8, 0.5
    w = ((2 * z - 1) / (2 * y - 1) + 1) / 2
    odds, t = p_keep / (1 - p_keep), temperature
    p_w = t * odds * (w * (1 - w)) ** (-t - 1) / (odds * w**-t + (1 - w) ** -t) ** 2
    channel = BinarySymmetricChannel(p_keep, mode="relaxed", temperature=temperature)
    logit = np.log(z) - np.log1p(-z)
    log_prob = channel.log_prob(logit, np.full_like(z, np.log(9.0))) - np.log(z) - np.log1p(-z)
    np.testing.assert_allclose(np.exp(log_prob), p_w / abs(2 * y - 1), rtol=1e-9)
    z = tf.constant([3.0, -3.0, 2.0])
    y = tf.constant([1.0, 1.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(y)
        log_prob = channel.log_prob(z, y)
    np.testing.assert_array_equal(log_prob, [-np.inf] * 3)
    assert np.all(np.isfinite(tape.gradient(log_prob, y)))


@pytest.mark.parametrize("dtype, rtol", [(tf.float32, 2e-5), (tf.float64, 1e-12)])
def test_relaxed_density_of_logits_far_from_zero(dtype, rtol):
    """At the default temperatures many logits are beyond what tanh tells from one; the exact values have 60 digits."""
    channel = BinarySymmetricChannel(0.9, mode="relaxed")
    y = BinaryConcreteLogit(tf.fill([500], tf.constant(1.0, dtype)), 0.2).sample(seed=SEED)
    z = channel(y, seed=tf.constant([3, 4]))["z"]
    inside = np.abs(z) < np.abs(y)
    assert np.mean(np.abs(y) > 17) > 0.05 and inside.mean() > 0.4  # of the others z is y, rounded
    given, sent = tf.boolean_mask(z, inside), tf.boolean_mask(y, inside)
    with tf.GradientTape() as tape:
        tape.watch(given)
        log_prob = channel.log_prob(given, sent)
    assert np.all(np.isfinite(tape.gradient(log_prob, given)))
    exact = [_relaxed_log_density(a, b, 0.9, 0.1) for a, b in zip(given.numpy(), sent.numpy(), strict=True)]
    np.testing.assert_allclose(log_prob, exact, rtol=rtol, atol=rtol)


def _relaxed_log_density(z, y, p_keep, temperature):
    """Change of variables as it stands, in decimal arithmetic."""
    with decimal.localcontext(prec=60):
        z, y, t = (Decimal(float(value)) for value in (z, y, temperature))
        sign_z, sign_y = ((v.exp() - 1) / (v.exp() + 1) for v in (z, y))
        sign_w = sign_z / sign_y
        odds = (1 + sign_w) / (1 - sign_w)
        centre = (Decimal(p_keep) / (1 - Decimal(p_keep))).ln() - t * odds.ln()
        density_w = t * centre.exp() / (1 + centre.exp()) ** 2
        # dw/dz = (dw / dsign_w) (dsign_w / dsign_z) (dsign_z / dz)
        return float((density_w * 2 / (1 - sign_w**2) / abs(sign_y) * (1 - sign_z**2) / 2).ln())


def test_collapsed_law():
    """R11: P(Z=1|x) = a - 2 a f + f, by formula and by simulation (4.5 standard errors)."""
    channel = BinarySymmetricChannel(0.85)
    for logit in (-1.3, 0.0, 2.0):
        a, f = 1 / (1 + np.exp(-logit)), 0.15
        expected = a - 2 * a * f + f
        received = channel.received_logits(np.float64(logit))
        np.testing.assert_allclose(tf.sigmoid(received), expected, rtol=1e-12)
        bits = np.random.default_rng(1).uniform(size=[50, 1000]) < a
        z = channel(tf.constant(bits, tf.float32), seed=SEED)["z"]
        assert_mean(z, expected)


def test_posterior_of_the_sent_bit_is_prior_plus_ratio():
    """Bayes' rule, term by term; and a repetition code decodes by a majority vote."""
    channel, prior = BinarySymmetricChannel(0.85), 0.4
    z = np.array([[0.0, 1.0]])
    one = 1 / (1 + np.exp(-prior))
    likelihood = np.where(z == 1, [[[0.15]], [[0.85]]], [[[0.85]], [[0.15]]])
    exact = one * likelihood[1] / (one * likelihood[1] + (1 - one) * likelihood[0])
    np.testing.assert_allclose(tf.sigmoid(prior + channel.log_likelihood_ratio(z)), exact, rtol=1e-6)
    for bit, sent in [(0, likelihood[0]), (1, likelihood[1])]:
        np.testing.assert_allclose(np.exp(channel.log_prob(z, 0 * z + bit)), sent, rtol=1e-6)
    decoded = Repetition(2, 6).soft_decode(channel.log_likelihood_ratio(tf.constant([[1, 0, 1, 0, 1, 0]])))
    weight = np.log(0.85 / 0.15)
    np.testing.assert_allclose(np.sort(decoded[0])[::-1] / weight, [1, -1], rtol=1e-6)
    sure = BinarySymmetricChannel(1.0).log_likelihood_ratio(tf.constant([0, 1]))
    np.testing.assert_array_equal(sure, [-100, 100])


@pytest.mark.parametrize("mode", ["relaxed", "mixture"])
def test_gradient_equals_finite_differences(mode):
    channel = BinarySymmetricChannel(0.9, mode=mode, temperature=0.5)
    y = tf.constant(np.linspace(-4, 4, 15))
    with tf.GradientTape() as tape:
        tape.watch(y)
        z = channel(y, seed=SEED)["z"]
    step = 1e-6
    numeric = (channel(y + step, seed=SEED)["z"] - channel(y - step, seed=SEED)["z"]) / (2 * step)
    np.testing.assert_allclose(tape.gradient(z, y), numeric, rtol=1e-6, atol=1e-8)
    assert np.all(np.abs(numeric) > 1e-6)


def test_xla_equals_eager_and_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        channels = [BinarySymmetricChannel(0.7, mode=mode) for mode in ("hard", "relaxed", "mixture")]
    finally:
        keras.config.set_dtype_policy(policy)
    bits = tf.cast(tf.random.stateless_uniform([2, 3, 50], SEED) > 0.5, tf.float16)
    sent = [bits, 10 * bits - 5, 10 * bits - 5]

    def run():
        return [channel(y, seed=SEED)["z"] for channel, y in zip(channels, sent)]

    eager, compiled = run(), tf.function(run, jit_compile=True)()
    for channel, y, z, again in zip(channels, sent, eager, compiled):
        assert z.dtype == tf.float32 and z.shape == y.shape
        np.testing.assert_allclose(again, z, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(channel.corrupt(y, SEED), z, rtol=1e-6)


def test_configuration_round_trip():
    channel = BinarySymmetricChannel(snr=2.0, mode="relaxed", temperature=0.3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(channel))
    assert again.get_config() == channel.get_config() and again.p_keep == channel.p_keep
    prior = channel.default_prior()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert again.temperature == 0.3 and BinarySymmetricChannel(0.9).default_prior().temperature is None


def test_prior_of_bits():
    """Fair bits, and logits of fair relaxed bits, within 4.5 standard errors."""
    zeros = tf.zeros([100, 5, 20])
    bits = BinaryPrior().sample(zeros, tf.zeros([100, 5], tf.bool), SEED)
    assert set(np.unique(bits)) == {0, 1}
    assert_mean(bits, 0.5)
    logits = BinaryPrior(0.5).sample(zeros, tf.zeros([100, 5], tf.bool), SEED)
    assert_mean(logits, 0)
    assert_mean(logits**2, np.pi**2 / 3 / 0.25)


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "exactly one of p_keep and snr"),
        ({"p_keep": 0.9, "snr": 1.0}, "exactly one of p_keep and snr"),
        ({"p_keep": 1.5}, r"p_keep must lie in \[0, 1\]"),
        ({"p_keep": 0.9, "mode": "soft"}, "mode must be one of"),
        ({"p_keep": 0.9, "temperature": 0}, "temperature must be positive"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BinarySymmetricChannel(**options)


@pytest.mark.parametrize("bits", [[[0, 2, 1, -7]], [[0.0, 0.5]], [[1.0, np.nan]]])
def test_what_is_no_bit_is_refused(bits):
    channel = BinarySymmetricChannel(p_keep=0.9)
    for function in (channel, channel.corrupt):
        with pytest.raises(ValueError, match="BinarySymmetricChannel takes bits, zeros and ones; got"):
            function(tf.constant(bits), seed=(1, 2))
    with pytest.raises(ValueError, match="takes bits"):
        channel.log_likelihood_ratio(tf.constant(bits))


def test_bad_input_is_refused():
    bits = tf.zeros([2, 3], tf.int32)
    with pytest.raises(ValueError, match="given no seed"):
        BinarySymmetricChannel(0.9)(bits)
    with pytest.raises(ValueError, match="logits of relaxed bits must be real numbers"):
        BinarySymmetricChannel(0.9, mode="relaxed")(bits, seed=SEED)
    with pytest.raises(ValueError, match="bits other than integers must be real numbers"):
        BinarySymmetricChannel(0.9)(tf.zeros([2, 3], tf.bool), seed=SEED)
    with pytest.raises(ValueError, match="the mode of this channel is 'mixture'"):
        BinarySymmetricChannel(0.9, mode="mixture").log_likelihood_ratio(tf.zeros([2]))


@pytest.mark.parametrize("kind", ["symmetric", "erasure"])
def test_forms_that_the_base_derives_from_the_law_are_those_of_each_channel(kind):
    channel = {"symmetric": BinarySymmetricChannel(0.8), "erasure": BinaryErasureChannel(0.3)}[kind]
    logits = tf.tile([[0.8, -0.3, 1.5]], [5000, 1])
    expected = {}
    for form in (BitChannel, type(channel)):
        words, log_q = form.arrivals(channel, logits, 4, SEED)
        assert words.shape == log_q.shape == (4, 5000, 3)
        for bit in range(3):
            for symbol in np.unique(words):
                of_symbol = words[..., bit] == symbol
                probability = np.exp(np.unique(np.round(log_q[..., bit][of_symbol], 5)))
                assert len(probability) == 1
                # 20,000 draws within 4.5 standard errors, 30 times: false-failure rate 2e-4.
                error = np.sqrt(probability[0] * (1 - probability[0]) / 20_000)
                assert abs(np.mean(of_symbol) - probability[0]) < 4.5 * error
                assert probability[0] == pytest.approx(expected.setdefault((bit, symbol), probability[0]), rel=1e-4)
    received = channel.corrupt(tf.constant([[0.0, 1.0] * 50]), SEED)
    own, derived = channel.log_likelihood_ratio(received), BitChannel.log_likelihood_ratio(channel, received)
    np.testing.assert_allclose(derived, own, rtol=1e-5)
    assert channel.hardened() is channel and not channel.relaxed


def test_arrivals_have_the_gradient_of_the_collapsed_law():
    channel, logits = BinarySymmetricChannel(0.8), tf.constant([[0.8, -0.3, 1.5]])
    found = []
    for form in (BitChannel, BinarySymmetricChannel):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            words, log_q = form.arrivals(channel, logits, 200, SEED)
        sums = tape.jacobian(log_q, logits)[:, 0, :, 0].numpy()
        found.append(
            {
                (bit, word): sums[index, bit, bit]
                for index in range(200)
                for bit, word in enumerate(words[index, 0].numpy())
            }
        )
    assert len(found[0]) == len(found[1]) == 6
    for key, gradient in found[0].items():
        assert gradient == pytest.approx(found[1][key], rel=1e-4)
