import math

import numpy as np
import pytest
import tensorflow as tf
from fake_codec import FakeCodec, images

from tfcoded import metrics
from tfcoded.metrics import calibration


class NoisyCodec(FakeCodec):
    """Its images show each bit wrong with probability `wrong`; `certainty` is what it believes of a bit."""

    def __init__(self, bits, wrong, certainty):
        super().__init__(bits, certainty)
        self.wrong = wrong

    def decode(self, bits, seed):
        flips = tf.random.stateless_uniform(bits.shape, seed) < self.wrong
        return super().decode(tf.where(flips, 1 - bits, bits), seed)


def test_bins_of_equal_width_and_of_equal_mass():
    confidence = np.array([0.1, 0.2, 0.3, 0.9])
    np.testing.assert_allclose(calibration.bin_edges(confidence, 4), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(calibration.bin_edges(confidence, 2, equal_mass=True), [0, 0.2, 1])
    many = np.random.default_rng(0).random(1500)
    found = calibration.reliability(many, many > 0.5, calibration.bin_edges(many, equal_mass=True))
    np.testing.assert_array_equal(found.count, [100] * 15)
    ties = np.array([0.5] * 9 + [1.0])
    np.testing.assert_allclose(calibration.bin_edges(ties, 4, equal_mass=True), [0, 0.5, 1])
    np.testing.assert_allclose(calibration.bin_edges(np.ones(5), 4, equal_mass=True), [0, 1])


def test_reliability_by_hand():
    confidence = np.array([0.0, 0.5, 0.4, 0.6, 1.0])
    correct = np.array([0, 1, 1, 0, 1])
    found = calibration.reliability(confidence, correct, np.array([0, 0.5, 0.75, 0.9, 1]))
    np.testing.assert_array_equal(found.count, [3, 1, 0, 1])  # 0 and the upper limit belong to a bin
    np.testing.assert_allclose(found.confidence, [0.3, 0.6, np.nan, 1.0])
    np.testing.assert_allclose(found.accuracy, [2 / 3, 0.0, np.nan, 1.0])
    # Wilson's interval is where |accuracy - p| = sqrt(p (1 - p) / n).
    for limit in (found.low, found.high):
        spread = np.sqrt(limit * (1 - limit) / found.count, where=found.count > 0, out=np.full(4, np.nan))
        np.testing.assert_allclose(abs(found.accuracy - limit), spread, atol=1e-12)
    assert found.high[1] > 0 and found.low[3] < 1
    measured, _ = calibration.expected_calibration_error(confidence, correct, found.edges)
    assert measured.value == pytest.approx((3 * (2 / 3 - 0.3) + 0.6 + 0) / 5)


def test_what_a_calibrated_model_would_show():
    # One bin and confidence 1/2: the mean distance of n coins from their mean is sqrt(2 / (pi n)) / 2, with a
    # standard deviation of sqrt(1 - 2 / pi) / (2 sqrt(n)). Over 2,000 data sets the mean is known to 1.7%,
    # the deviation to 1.6% by normal theory (less for this one-sided law): five of these on both sides.
    n = 2000
    confidence = np.full(n, 0.5)
    _, calibrated = calibration.expected_calibration_error(confidence, confidence, np.array([0, 1]), 1, 2000)
    assert calibrated.value == pytest.approx(math.sqrt(2 / (math.pi * n)) / 2, rel=0.085)
    assert calibrated.standard_error == pytest.approx(math.sqrt((1 - 2 / math.pi) / n) / 2, rel=0.1)


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibrated_data_look_calibrated_and_others_do_not(equal_mass):
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.2, 0.9, 20000)
    edges = calibration.bin_edges(confidence, equal_mass=equal_mass)
    correct = rng.random(20000) < confidence
    measured, calibrated = calibration.expected_calibration_error(confidence, correct, edges)
    # The error of 15 bins is nearly normal; five standard deviations on both sides fail for one seed in a
    # million.
    assert abs(measured.value - calibrated.value) < 5 * calibrated.standard_error
    assert measured.value > 2 * calibrated.standard_error  # never near 0: why the comparison is needed
    correct = rng.random(20000) < confidence - 0.1
    measured, calibrated = calibration.expected_calibration_error(confidence, correct, edges)
    assert abs(measured.value - 0.1) < 5 * math.sqrt(0.25 / 20000)
    # All surplus has one sign, so the error is a mean and its standard error that of a mean; the bootstrap's
    # 200 resamples know it to 5%.
    assert measured.standard_error == pytest.approx(np.std(confidence - correct) / math.sqrt(20000), rel=0.25)


def test_bits_of_one_word_are_resampled_together():
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1, [500, 1])
    correct = rng.random([500, 1]) < confidence - 0.2
    edges = calibration.bin_edges(confidence)
    one, _ = calibration.expected_calibration_error(confidence, correct, edges)
    copies, _ = calibration.expected_calibration_error(np.tile(confidence, 4), np.tile(correct, 4), edges)
    np.testing.assert_allclose(copies, one)  # four copies of each bit tell no more than one
    flat, _ = calibration.expected_calibration_error(np.tile(confidence, 4).ravel(), np.tile(correct, 4).ravel(), edges)
    assert flat.standard_error < 0.7 * one.standard_error


def test_scores_by_hand():
    found, bins = calibration.scores("x", np.array([0.9, 0.7, 0.6]), np.array([True, False, True]))
    assert set(found) == {
        "ece_x",
        "ece_x_calibrated",
        "ece_x_equal_mass",
        "ece_x_equal_mass_calibrated",
        "overconfidence_x",
        "brier_x",
    }
    assert found["brier_x"].value == pytest.approx((0.01 + 0.49 + 0.16) / 3)
    assert found["overconfidence_x"].value == pytest.approx(2.2 / 3 - 2 / 3)
    assert found["ece_x"].value == pytest.approx((0.1 + 0.7 + 0.4) / 3)
    assert bins.count.sum() == 3 and len(bins.count) == 15


def test_words_of_a_codec_that_knows_its_channel_are_calibrated():
    bits, wrong = 4, 0.125
    found, bins = calibration.measure(NoisyCodec(bits, wrong, 1 - wrong), branches=(2, 2), runs=4, words=1000)
    assert set(bins) == {"words", "bits"}
    dependent, _ = calibration.measure(
        NoisyCodec(bits, wrong, 1 - wrong), branches=(2, 2), independent=False, runs=1, words=10
    )
    assert set(found) - set(dependent) == {"ece_bits_calibrated", "ece_bits_equal_mass_calibrated"}
    assert bins["words"].count.sum() == 4000 and bins["bits"].count.sum() == 16000
    # 4.9 standard deviations on both sides: false failure of one seed in a million, each.
    right = (1 - wrong) ** bits
    assert abs(found["overconfidence_words"].value) < 4.9 * math.sqrt(right * (1 - right) / 4000)
    assert abs(found["overconfidence_bits"].value) < 4.9 * math.sqrt(wrong * (1 - wrong) / 16000)
    assert found["ece_words"].value == pytest.approx(abs(found["overconfidence_words"].value))  # all in one bin
    assert found["brier_bits"].value == pytest.approx(wrong * (1 - wrong), rel=0.1)


def test_a_codec_that_believes_too_much_is_found_out_by_that_much():
    bits, wrong, certainty = 4, 0.125, 0.99
    codec = NoisyCodec(bits, wrong, certainty)
    found, _ = calibration.measure(codec, branches=(bits,), runs=2, words=1000)
    right = (1 - wrong) ** bits
    expected = certainty**bits - right
    assert abs(found["ece_words"].value - expected) < 4.9 * math.sqrt(right * (1 - right) / 2000)
    assert abs(found["ece_bits"].value - (certainty - 1 + wrong)) < 4.9 * math.sqrt(wrong * (1 - wrong) / 8000)
    assert found["ece_words"].value > 5 * found["ece_words_calibrated"].value


def test_words_and_images_are_those_of_the_error_rates():
    codec = NoisyCodec(3, 0.2, 0.8)
    (_, words), (_, bits) = calibration.calibration_words(codec, 3, seed=7, runs=2, words=300).values()
    rates = metrics.error_metrics(codec, (3,), seed=7, runs=2, words=300)
    assert 1 - words.mean() == pytest.approx(rates["wer_map"].value)
    assert 1 - bits.mean() == pytest.approx(rates["ber_map"].value)
    assert words.shape == (600,) and bits.shape == (600, 3)


def test_reconstructions_come_from_the_most_probable_word():
    def classifier(pictures):  # the class is the first bit, shown as the first pixel
        first = tf.reshape(pictures, [len(pictures), -1])[:, 0]
        return tf.stack([1 - first, first], axis=1)

    x = images(40)
    x[:, 0, 0, 0] = [0, 255] * 20
    labels = np.array([0, 1] * 10 + [1, 0] * 10)
    confidence, correct = calibration.calibration_reconstruction(
        FakeCodec(3, certainty=0.9), x, labels, classifier, batch_size=16
    )
    np.testing.assert_array_equal(correct, [True] * 20 + [False] * 20)
    np.testing.assert_allclose(confidence, 0.9**3, rtol=1e-5)
    found, bins = calibration.measure(FakeCodec(3, 0.9), x, labels, classifier, branches=(3,), runs=1, words=10)
    assert found["overconfidence_reconstruction"].value == pytest.approx(0.9**3 - 0.5)
    assert bins["reconstruction"].count.sum() == 40
    for missing in ((None, labels, classifier), (x, None, classifier), (x, labels, None)):
        found, bins = calibration.measure(FakeCodec(3, 0.9), *missing, branches=(3,), runs=1, words=10)
        assert set(bins) == {"words", "bits"} and "ece_reconstruction" not in found


def test_each_batch_is_smoothed_with_its_own_seed():
    class Recorder(FakeCodec):
        def decode(self, bits, seed):
            seeds.append(tuple(seed.numpy()))
            return super().decode(bits, seed)

    seeds = []
    calibration.calibration_reconstruction(
        Recorder(2), images(9), [0] * 9, lambda pictures: tf.zeros([len(pictures), 2]), batch_size=4
    )
    assert len(seeds) == len(set(seeds)) == 3


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: calibration.bin_edges([0.5], 0), "bins must be at least 1, got 0"),
        (lambda: calibration.bin_edges([]), "at least one sample"),
        (lambda: calibration.bin_edges([0.5, 1.1]), "in \\[0, 1\\]"),
        (lambda: calibration.bin_edges([0.5, math.nan]), "in \\[0, 1\\]"),
        (lambda: calibration.scores("x", [0.5, 0.6], [1]), "shape \\(2,\\), but correct \\(1,\\)"),
        (lambda: calibration.measure(FakeCodec(2), branches=(2,), runs=0), "0 runs of 1000 words"),
        (
            lambda: calibration.calibration_reconstruction(FakeCodec(2), images(2), [1], None),
            "2 images but 1 labels",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
