import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from sampled import assert_mean
from tiny_systems import SEED, SHAPE, STEP, SYMBOLS, binary, gradients, images
from trained import as_trained

from tfcoded.channels import BinaryErasureChannel, BinarySymmetricChannel, GaussianChannel
from tfcoded.distributions import bernoulli_kl
from tfcoded.models import AdamL2, BinaryJointModel
from tfcoded.networks import ResNetDecoder, ResNetEncoder
from tfcoded.utils import seeds

CHANNELS = {
    "hard": lambda: BinarySymmetricChannel(0.9, name="channel"),
    "relaxed": lambda: BinarySymmetricChannel(0.9, mode="relaxed", name="channel"),
    "mixture": lambda: BinarySymmetricChannel(0.9, mode="mixture", name="channel"),
    "erasure": lambda: BinaryErasureChannel(0.3, name="channel"),
}
EVERY = pytest.mark.parametrize("kind", CHANNELS)
LOGITS = np.array([0.8, -0.3, 1.5], np.float32)


def three_bits(kind, samples=3):
    encoder, decoder = (
        ResNetEncoder(3, 2, SHAPE, law="bits", name="encoder"),
        ResNetDecoder(3, 2, SHAPE, name="decoder"),
    )
    model = BinaryJointModel(encoder, CHANNELS[kind](), decoder, samples)
    as_trained(model.decoder, 0.5)
    return model


def collapsed(kind):
    """Words that can arrive `[k, 3]` and their log-probabilities as a function of the logits, from the definition."""
    symbols = (0.0, 1.0, 0.5) if kind == "erasure" else (0.0, 1.0)
    words = np.array(list(itertools.product(symbols, repeat=3)), np.float32)

    def log_probabilities(logits):
        one = tf.sigmoid(logits)
        if kind == "erasure":
            table = tf.stack([0.7 * (1 - one), 0.7 * one, tf.fill([3], 0.3)])
        else:
            table = tf.stack([0.9 * (1 - one) + 0.1 * one, 0.9 * one + 0.1 * (1 - one), tf.zeros([3])])
        index = np.select([words == 0, words == 1], [0, 1], 2)
        columns = [tf.gather(table[:, bit], index[:, bit]) for bit in range(3)]
        return tf.reduce_sum(tf.math.log(tf.stack(columns, -1)), -1)

    return words, log_probabilities


@pytest.mark.parametrize("kind", ["hard", "erasure"])
def test_words_arrive_by_the_collapsed_law(kind):
    model = three_bits(kind)
    count = 20000
    words, log_q = model.arrivals(np.broadcast_to(LOGITS, [count, 3]), SEED)
    known, log_probabilities = collapsed(kind)
    expected = log_probabilities(tf.constant(LOGITS)).numpy()
    assert np.exp(expected).sum() == pytest.approx(1, abs=1e-5)
    seen = np.reshape(words, [-1, 3])
    index = (seen[:, None] == known).all(-1).argmax(1)
    np.testing.assert_array_equal(known[index], seen)
    np.testing.assert_allclose(np.ravel(log_q), expected[index], rtol=1e-4, atol=1e-5)
    frequency = np.bincount(index, minlength=len(known)) / len(index)
    errors = np.sqrt(np.exp(expected) * (1 - np.exp(expected)) / len(index))
    # 4.5 standard errors each, for at most 27 words: false-failure rate 2e-4.
    assert (np.abs(frequency - np.exp(expected)) < 4.5 * errors).all()


@pytest.mark.parametrize("kind", ["hard", "erasure"])
def test_gradient_is_that_of_the_sum_over_all_words(kind):
    """Leave-one-out, in the mean; the decoder's is the mean over the words that were drawn."""
    model = three_bits(kind)
    target = tf.constant(images(1) / np.float32(255))
    words, log_probabilities = collapsed(kind)
    errors = tf.reduce_sum((model.decoder(2 * words - 1) - target) ** 2, [1, 2, 3])
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        expected_error = tf.reduce_sum(tf.exp(log_probabilities(logits)) * errors)
    exact = tape.gradient(expected_error, logits).numpy()
    count = 3000
    rows = tf.constant(np.broadcast_to(LOGITS, [count, 3]))
    many = tf.broadcast_to(target, [count, *SHAPE])
    with tf.GradientTape() as tape:
        tape.watch(rows)
        distortion, rate, terms = model._scored_terms(many, rows, SEED)
        total = tf.reduce_sum(distortion)
    estimates = tape.gradient(total, rows).numpy()
    assert np.abs(exact).min() > 1e-3
    for bit in range(3):
        assert_mean(estimates[:, bit], exact[bit])
    # The value is that of the objective, whatever the surrogate's.
    np.testing.assert_allclose(distortion, terms["sse"], rtol=1e-4)
    assert_mean(distortion, float(expected_error))
    np.testing.assert_allclose(rate, tf.reduce_sum(bernoulli_kl(rows), -1), rtol=1e-6)
    few = rows[:4], many[:4]
    kernel = model.decoder.head.kernel
    drawn, _ = model.arrivals(few[0], SEED)

    def mean_error():
        out = model.decoder(2 * tf.reshape(drawn, [-1, 3]) - 1)
        return tf.reduce_sum((out - tf.concat([few[1]] * 3, 0)) ** 2, [1, 2, 3])

    direct = gradients(mean_error, [kernel])[0]
    np.testing.assert_allclose(
        gradients(lambda: model._scored_terms(few[1], few[0], SEED)[0], [kernel])[0], direct, rtol=1e-3, atol=1e-5
    )


@EVERY
def test_loss_and_what_is_reported(kind):
    model = binary(CHANNELS[kind](), beta=0.3, warm_up_steps=10)
    for step, weight in ((None, 0.3), (STEP, 0.15)):
        terms = model.training_terms(images(), SEED, step)
        assert list(terms) == ["loss", "mse", "sse", "rate"]
        assert all(value.shape == (4,) and value.dtype == tf.float32 for value in terms.values())
        np.testing.assert_allclose(terms["mse"], terms["sse"] / math.prod(SHAPE), rtol=1e-6)
        # A relaxed model is tested with true bits, its loss is that of relaxed ones.
        if not (model.relaxed and step is None):
            expected = terms["sse"] + weight * math.log(2) * terms["rate"]
            np.testing.assert_allclose(terms["loss"], expected, rtol=1e-4)
    logits = model.encoder(images() / np.float32(255))
    exact = tf.reduce_sum(bernoulli_kl(logits), -1) / math.log(2)
    np.testing.assert_allclose(model.rates(images(), SEED)["rate"], exact, rtol=1e-4, atol=1e-6)
    if not model.relaxed:
        np.testing.assert_allclose(terms["rate"], exact, rtol=1e-4, atol=1e-6)


def test_rate_of_relaxed_bits():
    """R5, in the model: the mean over words is the divergence of two logistic laws, by quadrature."""
    model = binary(CHANNELS["relaxed"]())
    count = 1000
    logits = tf.fill([count, SYMBOLS], 0.7)
    _, rate, _ = model._relaxed_terms(tf.zeros([count, *SHAPE]), logits, SEED)
    y = np.linspace(-400, 400, 400001)

    def log_density(location, scale):
        u = (y - location) / scale
        return -np.abs(u) - np.log(scale) - 2 * np.log1p(np.exp(-np.abs(u)))

    q, p = log_density(0.7 / 0.2, 1 / 0.2), log_density(0.0, 1 / 0.1)
    assert_mean(rate, SYMBOLS * float((np.exp(q) * (q - p)).sum() * (y[1] - y[0])))


@EVERY
def test_what_is_sent_are_bits_and_some_are_flipped_or_erased(kind):
    model = binary(CHANNELS[kind]())
    model.encoder.head.bias.assign(np.linspace(-3, 3, SYMBOLS))
    x = np.broadcast_to(images(1), [1000, *SHAPE])
    bits = model.transmit(x, SEED).numpy()
    assert bits.dtype == np.float32 and set(np.unique(bits)) == {0.0, 1.0}
    for bit, logit in enumerate(model.encoder(x[:1] / np.float32(255))[0].numpy()):
        assert_mean(bits[:, bit], 1 / (1 + math.exp(-logit)))
    arrived = model.corrupt(bits, SEED).numpy()
    if kind == "erasure":
        assert set(np.unique(arrived)) == {0.0, 0.5, 1.0}
        assert_mean(arrived == 0.5, 0.3)
        assert (np.abs(arrived - bits) < 0.6).all()  # none is flipped
    else:
        assert set(np.unique(arrived)) == {0.0, 1.0}
        assert_mean(arrived != bits, 0.1)
    out = model.communicate(x[:3], 1, SEED)
    sent = model.transmit(x[:3], seeds.derive(SEED, 2))
    arrived = model.corrupt(sent, seeds.derive(SEED, 3))
    np.testing.assert_allclose(out, model.decoder(2 * arrived - 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["hard", "mixture"])
def test_every_weight_learns(kind):
    model = binary(CHANNELS[kind](), beta=0.1)
    as_trained(model, 0.3)
    slopes = gradients(lambda: model.training_terms(images(16), SEED, STEP)["loss"], model.trainable_weights)
    for weight, slope in zip(model.trainable_weights, slopes, strict=True):
        assert np.abs(slope).max() > 0, weight.path


def test_alv_decoder():
    model = binary(CHANNELS["hard"](), "alv", beta=0.1, samples=2)
    terms = model.training_terms(images(), SEED, STEP)
    expected = terms["sse"] + 2 * 0.05**2 * terms["kl_v"] + 0.1 * math.log(2) * terms["rate"]
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-5)
    before = model.communicate(images(), 1, SEED)
    for variable in model.decoder.posterior_variables:
        variable.assign(variable + 1)
    np.testing.assert_array_equal(model.communicate(images(), 1, SEED), before)


def test_fit():
    model = binary(CHANNELS["erasure"](), clip_norm=1.0)
    model.compile(AdamL2(1e-3, l2=0.0), run_eagerly=True)
    x = images(8)
    history = model.fit(x, batch_size=4, epochs=2, verbose=0, validation_data=x).history
    assert all(np.isfinite(values).all() for values in history.values())


def test_impossible_arguments():
    with pytest.raises(ValueError, match="channel must be one of bits, a tfcoded.channels.BitChannel, got Gau"):
        binary(GaussianChannel())
    with pytest.raises(ValueError, match="samples must be at least 2"):
        binary(CHANNELS["hard"](), samples=1)
