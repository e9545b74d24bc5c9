"""Words over noisy channels against closed forms.

Two-sided, within 4.5 standard errors: the false-failure rate of each comparison is 7e-6.
"""

import fake_codec
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfcoded import config
from tfcoded.channels import BinaryErasureChannel, BinarySymmetricChannel
from tfcoded.codes import Hierarchical, RandomCode, Repetition, Uncoded
from tfcoded.metrics import transmission
from tfcoded.models import BitPosterior, WordPosterior

WORDS = 8000


def symmetric(flips):
    return [BinarySymmetricChannel(p_keep=1 - flip) for flip in flips]


def erasing(erasures):
    return [BinaryErasureChannel(erasure) for erasure in erasures]


def majority_error(copies, flip):
    """Probability that most of the copies are flipped, or half of them and the coin falls wrong."""
    flipped = stats.binom(copies, flip)
    tie = flipped.pmf(copies // 2) if copies % 2 == 0 else 0.0
    return flipped.sf(copies // 2) + tie / 2


def assert_rate(rate, expected, count):
    error = np.sqrt(expected * (1 - expected) / count)
    assert abs(rate - expected) <= 4.5 * error, f"{rate}, expected {expected} ± {error}"


@pytest.mark.parametrize("code", [Uncoded(4), Repetition(4, 12), Repetition(4, 16)], ids=repr)
def test_symmetric_channel_is_a_majority_vote(code):
    copies = code.code_bits // 4
    flips = [0.0, 0.1, 0.35, 0.5]
    found = transmission.error_rates(code, symmetric([*flips, 1.0]), runs=4, words=WORDS // 4)
    for flip, rates in zip(flips, found):
        bit = majority_error(copies, flip)
        assert_rate(rates["ber"].value, bit, 4 * WORDS)
        assert_rate(rates["wer"].value, 1 - (1 - bit) ** 4, WORDS)
    # The receiver knows that every bit is flipped.
    assert found[-1]["wer"].value == 0
    word = found[2]["wer"].value
    assert found[2]["wer"].standard_error == pytest.approx(np.sqrt(word * (1 - word) / WORDS), rel=1e-3)


@pytest.mark.parametrize(
    "code, copies",
    [(Uncoded(3), [1, 1, 1]), (Repetition(3, 9), [3, 3, 3]), (Hierarchical((2, 2), (4, 6)), [2, 2, 3, 3])],
    ids=repr,
)
def test_erasure_channel_guesses_what_is_erased_whole(code, copies):
    erasures = [0.0, 0.3, 0.7, 1.0]
    found = transmission.error_rates(code, erasing(erasures), runs=4, words=WORDS // 4)
    for erasure, rates in zip(erasures, found):
        expected = 1 - np.prod([1 - 0.5 * erasure**length for length in copies])
        assert_rate(rates["wer"].value, expected, WORDS)


@pytest.mark.parametrize("channel", [*symmetric([0.5, 0.3]), *erasing([1.0])], ids=repr)
def test_ties_are_fair_for_every_word(channel):
    code = Repetition(1, 2)
    expected = {0.7: 0.3, 0.5: 0.5}[getattr(channel, "p_keep", 0.5)]  # 0.3^2 + 2 * 0.3 * 0.7 / 2
    for bit in (0, 1):
        sent = tf.fill([WORDS, 1], bit)
        received = transmission.transmit(code, channel, sent, [1, bit]).numpy()
        assert_rate(np.mean(received != bit), expected, WORDS)


def test_most_probable_bits_make_the_most_probable_word():
    code = Hierarchical((2, 3, 2), (4, 6, 4))  # even numbers of copies: there are ties
    sent = tf.random.stateless_uniform([500, 7], [3, 4], 0, 2, tf.int32)
    for channel in (*symmetric([0.3]), *erasing([0.8])):
        words = [transmission.transmit(code, channel, sent, [5, 6], kind) for kind in (BitPosterior, WordPosterior)]
        assert 0 < np.mean(np.any(words[0] != sent, axis=1)) < 1
        np.testing.assert_array_equal(*words)


def test_a_worse_channel_spoils_what_a_better_one_does():
    sent = tf.zeros([500, 8], tf.int32)
    mild, bad = (transmission.transmit(Uncoded(8), channel, sent, [7, 8]).numpy() for channel in symmetric([0.2, 0.4]))
    assert 0 < mild.sum() < bad.sum() and np.all(mild <= bad)


def test_random_codes_below_and_above_capacity():
    # Rate 1/6, which is the capacity at 0.264. The bounds are 4 standard errors, of 2,000 words, away from what
    # other seeds give.
    flips = [0.12, 0.2, 0.35, 0.45]
    short, long = (
        transmission.error_rates(code, symmetric(flips), posterior=WordPosterior, runs=2)
        for code in (RandomCode(3, 18), RandomCode(11, 66))
    )
    short, long = ([rates["wer"].value for rates in found] for found in (short, long))
    assert long[0] < 0.006 and long[3] > 0.98
    assert long[0] < short[0] - 0.005 and long[1] < short[1] - 0.015  # longer is better below capacity
    assert long[2] > short[2] + 0.1 and long[3] > short[3] + 0.1  # and worse above it
    assert short == sorted(short) and long == sorted(long)


def configuration(code):
    return config.from_dict(
        {
            "name": "fake",
            "dataset": "mnist",
            "likelihood": "bernoulli",
            "beta": 15,
            "code": code,
            "network": {"image_shape": [28, 28, 1]},
            "training": {"epochs": 1},
        }
    )


def test_images_are_those_of_the_received_words():
    codec = fake_codec.FakeCodec(5)
    settings = configuration({"kind": "repetition", "information_bits": 5, "code_bits": 10})
    words = np.random.default_rng(0).integers(0, 2, [60, 5]).astype(np.int32)
    images = codec.decode(tf.constant(words), tf.constant([0, 0]))["images"].numpy()
    images *= 0.98  # the threshold of the codec's encoder is 1/2
    labels = words[:, 0]

    def classifier(pictures):
        return tf.stack([1 - pictures[:, 0, 0, 0], pictures[:, 0, 0, 0]], axis=-1)

    received, noiseless = transmission.measure(
        codec, settings, images, labels, classifier, symmetric([0.0, 0.2, 0.4]), runs=1, words=10
    )
    alone = transmission.word_quality(codec, images, labels, classifier)
    assert alone == {name.replace("noiseless", "words"): value for name, value in noiseless.items()}
    assert set(transmission.word_quality(codec, images, labels)) == {"psnr_words", "ssim_words"}
    assert set(noiseless) == {"psnr_noiseless", "ssim_noiseless", "accuracy_noiseless"}
    quiet = 10 ** (-noiseless["psnr_noiseless"].value / 10)
    assert quiet == pytest.approx(0.02**2 * words.sum() / (60 * 121), rel=1e-4)
    assert noiseless["accuracy_noiseless"].value == 1.0
    for found in received:
        names = {"wer", "ber", "wer_images", "ber_images", "psnr", "ssim", "accuracy", "psnr_loss"}
        assert set(found) == names
        assert found["psnr_loss"].value == pytest.approx(
            noiseless["psnr_noiseless"].value - found["psnr"].value, abs=1e-4
        )
    first, middle, last = received
    assert first["psnr_loss"].value == 0 and first["wer_images"].value == 0 and first["accuracy"].value == 1
    assert first["ssim"] == noiseless["ssim_noiseless"]
    # A wrong bit is a wrong pixel: off by 0.98 or 1 of an image of 121.
    wrong = middle["ber_images"].value * 5 / 121
    assert 0.98**2 * wrong <= 10 ** (-middle["psnr"].value / 10) <= wrong + quiet
    assert 0 < middle["wer_images"].value <= last["wer_images"].value
    assert last["psnr"].value < middle["psnr"].value
    assert 0.2 < last["accuracy"].value < 1


def test_bad_numbers():
    with pytest.raises(ValueError, match="at least 1, got 0 runs"):
        transmission.error_rates(Uncoded(2), symmetric([0.1]), runs=0)
    settings = configuration({"kind": "uncoded", "information_bits": 5, "code_bits": 5})
    with pytest.raises(ValueError, match="no images"):
        transmission.measure(fake_codec.FakeCodec(5), settings, np.zeros([0, 11, 11, 1]), None, None, [])
