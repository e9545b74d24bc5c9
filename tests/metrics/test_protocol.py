import math

import numpy as np
import pytest
import tensorflow as tf
from fake_codec import FakeCodec, images

from tfcoded import metrics

RUNS, WORDS = 20, 500


def test_a_perfect_codec_makes_no_errors():
    found = metrics.error_metrics(FakeCodec(bits=10), (5, 5), runs=3, words=100)
    rates = ("ber", "wer", "ber_map", "wer_map")
    names = {f"{rate}{part}" for rate in rates for part in ("", "_m1", "_m2")}
    assert set(found) == names
    assert all(estimate == (0.0, 0.0) for estimate in found.values())


def test_sampled_errors_have_the_rate_of_the_posterior():
    # Bits are independent with a wrong one in eight. Bounds of 4.9 standard deviations on both sides fail
    # falsely for one seed in a million.
    bits, wrong = 8, 0.125
    codec = FakeCodec(bits, certainty=1 - wrong)
    found = metrics.error_metrics(codec, (bits,), seed=3, runs=RUNS, words=WORDS)
    assert set(found) == {"ber", "wer", "ber_map", "wer_map"}
    total = RUNS * WORDS
    assert abs(found["ber"].value - wrong) < 4.9 * math.sqrt(wrong * (1 - wrong) / (total * bits))
    word = 1 - (1 - wrong) ** bits
    assert abs(found["wer"].value - word) < 4.9 * math.sqrt(word * (1 - word) / total)
    assert found["ber_map"].value == found["wer_map"].value == 0.0
    # The squared standard error of 20 runs is chi-squared with 19 degrees of freedom: a factor of 3 too small
    # or too large for one seed in two million.
    expected = math.sqrt(word * (1 - word) / total)
    assert expected / 3 < found["wer"].standard_error < expected * 3


def test_a_codec_that_inverts_every_bit_is_always_wrong():
    found = metrics.error_metrics(FakeCodec(bits=6, certainty=0.0), (6,), runs=2, words=50)
    assert all(estimate.value == 1.0 for estimate in found.values())


def test_branches_are_counted_apart():
    class OneBadBranch(FakeCodec):
        def encode(self, pictures):
            posterior = super().encode(pictures)["bit_probabilities"]
            flip = tf.constant([False, False, False, True, True])
            return {"bit_probabilities": tf.where(flip, 1 - posterior, posterior)}

    found = metrics.error_metrics(OneBadBranch(bits=5), (3, 2), runs=2, words=40)
    values = {name: estimate.value for name, estimate in found.items()}
    assert values["ber_m1"] == values["wer_m1"] == values["ber_map_m1"] == values["wer_map_m1"] == 0.0
    assert values["ber_m2"] == values["wer_m2"] == values["ber_map_m2"] == values["wer_map_m2"] == 1.0
    assert values["ber"] == pytest.approx(0.4) and values["wer"] == 1.0


def test_the_seed_decides():
    codec = FakeCodec(bits=8, certainty=0.8)

    def rate(seed):
        return metrics.error_metrics(codec, (8,), seed=seed, runs=2, words=200)["ber"].value

    assert rate(1) == rate(1) != rate(2)


def test_words_are_uniform_and_differ_between_runs():
    class Recorder(FakeCodec):
        sent = []

        def decode(self, bits, seed):
            self.sent.append(bits.numpy())
            return super().decode(bits, seed)

    codec = Recorder(bits=4)
    metrics.error_metrics(codec, (4,), runs=4, words=1000, batch_size=300)
    assert [len(batch) for batch in codec.sent] == [300, 300, 300, 100] * 4
    runs = np.concatenate(codec.sent).reshape(4, 1000, 4)
    assert not any(np.array_equal(runs[0], other) for other in runs[1:])
    # 16 words, 4,000 draws: within 5.2 standard deviations on both sides, false failure below 4e-6.
    counts = np.bincount(runs.reshape(-1, 4) @ [8, 4, 2, 1], minlength=16)
    assert np.all(abs(counts - 250) < 5.2 * math.sqrt(4000 / 16 * 15 / 16))


def test_reconstruction_metrics_of_a_known_codec():
    x = images(300)
    found = metrics.reconstruction_metrics(FakeCodec(bits=3, certainty=0.9, shift=0.1, branches=2), x)
    assert found["psnr"].value == pytest.approx(20.0, abs=1e-3)
    assert found["psnr"].standard_error == pytest.approx(0.0, abs=1e-3)
    expected = -3 * (0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert found["entropy"].value == pytest.approx(expected, rel=1e-5)
    assert (found["kl"].value, found["kl_m1"].value, found["kl_m2"].value) == (3.0, 1.0, 2.0)
    sums = -(x / 255.0).sum(axis=(1, 2, 3))
    assert found["reconstruction"].value == pytest.approx(sums.mean(), rel=1e-5)
    assert found["elbo"].value == pytest.approx(sums.mean() - 3.0, rel=1e-5)
    assert found["elbo"].standard_error == pytest.approx(sums.std(ddof=1) / math.sqrt(300), rel=1e-4)
    assert 0 < found["ssim"].value < 1
    assert "accuracy" not in found


def test_psnr_is_the_mean_over_batches():
    class BadStart(FakeCodec):
        def reconstruct(self, pictures, seed):
            shift = 0.1 if len(pictures) == 128 else 0.01  # the last batch has 2 images
            return {"images": pictures + shift}

    found = metrics.reconstruction_metrics(BadStart(bits=3), images(130))
    assert found["psnr"].value == pytest.approx((20 + 40) / 2, abs=1e-2)


def test_one_branch_has_no_kl_of_its_own():
    found = metrics.reconstruction_metrics(FakeCodec(bits=3), images(5))
    assert "kl" in found and "kl_m1" not in found


def test_accuracy_and_its_denominators():
    class Unsure(FakeCodec):
        def encode(self, pictures):
            posterior = super().encode(pictures)
            # Images whose first pixel is 0 are confident; 0.4 itself is not "above 0.4".
            first = tf.reshape(pictures, [len(pictures), -1])[:, 0]
            return {**posterior, "word_probability": tf.where(first == 0, 0.41, 0.4)}

    x = images(10)
    x[:, 0, 0, 0] = [0, 0, 0, 0, 255, 255, 255, 255, 255, 255]
    labels = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])  # the classifier below says 1

    def classifier(pictures):
        return tf.tile([[0.0, 1.0]], [len(pictures), 1])

    found = metrics.reconstruction_metrics(Unsure(bits=3), x, labels, classifier, batch_size=4)
    assert found["accuracy"].value == pytest.approx(5 / 10)
    assert found["confident_accuracy"].value == pytest.approx(3 / 4)
    assert found["confident_fraction"].value == pytest.approx(4 / 10)
    assert found["confident_accuracy"].standard_error == pytest.approx(0.25)


def test_without_a_confident_image_there_is_no_confident_accuracy():
    codec = FakeCodec(bits=10, certainty=0.6)  # 0.6^10 is far below 0.4

    def classifier(pictures):
        return tf.one_hot([0] * len(pictures), 3)

    found = metrics.reconstruction_metrics(codec, images(6), np.zeros(6, int), classifier)
    assert found["accuracy"].value == 1.0
    assert found["confident_fraction"].value == 0.0
    assert "confident_accuracy" not in found


def test_the_classifier_sees_the_reconstruction():
    def classifier(pictures):
        return tf.stack([tf.fill([len(pictures)], 0.5), tf.reduce_max(pictures, axis=[1, 2, 3])], axis=1)

    x = np.zeros([4, 11, 11, 1], np.uint8)
    labels = np.ones(4, int)
    dark = metrics.reconstruction_metrics(FakeCodec(bits=3), x, labels, classifier)
    light = metrics.reconstruction_metrics(FakeCodec(bits=3, shift=0.9), x, labels, classifier)
    assert (dark["accuracy"].value, light["accuracy"].value) == (0.0, 1.0)


def test_each_batch_has_its_own_seeds():
    class Recorder(FakeCodec):
        seeds = []

        def draw(self, pictures, seed):
            self.seeds.append(tuple(seed.numpy()))
            return super().draw(pictures, seed)

        def reconstruct(self, pictures, seed):
            self.seeds.append(tuple(seed.numpy()))
            return super().reconstruct(pictures, seed)

        def elbo(self, pictures, seed):
            self.seeds.append(tuple(seed.numpy()))
            return super().elbo(pictures, seed)

    codec = Recorder(bits=3)
    metrics.reconstruction_metrics(codec, images(20), batch_size=5)
    assert len(codec.seeds) == len(set(codec.seeds)) == 8
    metrics.error_metrics(codec, (3,), runs=2, words=9, batch_size=5)
    assert len(codec.seeds) == len(set(codec.seeds)) == 12


def test_dependent_bits_are_drawn_by_the_codec():
    class Repeating(FakeCodec):
        def draw(self, pictures, seed):
            """All received bits are right, or all are wrong: each with probability 1/2."""
            word = self.encode(pictures)["bits"]
            wrong = tf.random.stateless_uniform([len(word), 1], seed, 0, 2, tf.int32)
            return {"bits": tf.abs(word - wrong), "most_probable_bits": word}

    found = metrics.error_metrics(Repeating(bits=6), (6,), runs=RUNS, words=WORDS)
    # Independent bits, each wrong with probability 1/2, would spoil 98% of the words. 4.9 standard deviations
    # on both sides fail falsely for one seed in a million.
    assert abs(found["wer"].value - 0.5) < 4.9 * 0.5 / math.sqrt(RUNS * WORDS)
    assert found["ber"].value == pytest.approx(found["wer"].value)
    assert found["wer_map"].value == 0.0


def test_all_names():
    codec = FakeCodec(bits=4)
    found = metrics.reconstruction_metrics(codec, images(8))
    assert set(found) == {"psnr", "ssim", "entropy", "elbo", "kl", "reconstruction"}
    assert np.isposinf(found["psnr"].value)
    assert set(metrics.error_metrics(codec, (4,), runs=2, words=10)) == {"ber", "wer", "ber_map", "wer_map"}


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda codec: metrics.reconstruction_metrics(codec, images(0)), "no images"),
        (lambda codec: metrics.reconstruction_metrics(codec, images(3), [1, 2]), "3 images but 2 labels"),
        (lambda codec: metrics.error_metrics(codec, (4,), runs=0), "0 runs of 1000 words"),
        (lambda codec: metrics.error_metrics(codec, ()), "branches"),
        (lambda codec: metrics.error_metrics(codec, (4, 0)), "branches"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(FakeCodec(bits=4))
