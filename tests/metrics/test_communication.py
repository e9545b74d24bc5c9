"""The measurement of communication systems, with systems whose errors are known in closed form.

Random quantities are bounded on both sides, by 4.5 standard errors: the false-failure rate of each comparison is 7e-6.
"""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import config
from tfcoded.metrics import communication

BANDS, BAND = 5, 12  # of images of 4 x 5 x 3 coordinates
SHAPE = (4, 5, 3)
SCALE = 0.05  # of a coordinate in an image: ten standard deviations fit into [0, 1]


def settings(system="joint", **channel):
    channel = {"kind": "gaussian", "symbols": BANDS * BAND, "snr": 1.0} | channel
    numbers = system == "channel_autoencoder"
    return config.from_dict(
        {
            "name": "known",
            "system": system,
            "dataset": "normal" if numbers else "images.npz",
            "beta": 0.0 if numbers else 0.1,
            "channel": channel,
            "training": {"epochs": 1},
        }
    )


class KnownSystem:
    """Sends each coordinate as it is; the receiver knows how many bands arrived and takes posterior means.

    Coordinates are N(0, 1), so one that arrives leaves an error of 1 / (1 + snr), one that is lost leaves 1.

    Args:
      snr: `float`.
      scale: `float`, of a coordinate in an image, around 1/2; `None`: the images are the coordinates.
    """

    def __init__(self, snr, scale=SCALE):
        self.snr, self.scale = snr, scale
        self.seeds = []

    def transmit(self, images, seed):
        self._keep(seed)
        flat = tf.reshape(images, [len(images), -1])
        return {"symbols": flat if self.scale is None else (flat - 0.5) / self.scale}

    def corrupt(self, symbols, seed):
        self._keep(seed)
        noise = tf.random.stateless_normal(tf.shape(symbols), seed)
        return {"symbols": symbols + noise / math.sqrt(self.snr)}

    def receive(self, symbols, bands, seed):
        self._keep(seed)
        assert bands.dtype == tf.int32 and bands.shape == []
        keep = tf.cast(tf.range(symbols.shape[1]) < bands * BAND, tf.float32)
        means = symbols * keep * self.snr / (1 + self.snr)
        if self.scale is None:
            return {"images": symbols * self.snr / (1 + self.snr)}
        return {"images": tf.reshape(0.5 + self.scale * means, [-1, *SHAPE])}

    def rates(self, images, seed):
        self._keep(seed)
        total = tf.reduce_sum(tf.reshape(images, [len(images), -1]), axis=1)
        return {"rate": total, "transmission_rate": 0 * total + 40.0, "source_rate": 0 * total + 15.0}

    def _keep(self, seed):
        assert seed.dtype == tf.int32 and seed.shape == [2]
        self.seeds.append(tuple(seed.numpy()))


def images(count, seed=0):
    coordinates = np.random.default_rng(seed).normal(size=[count, *SHAPE])
    return (0.5 + SCALE * coordinates).astype(np.float32)


def assert_mean(samples, expected):
    samples = np.asarray(samples, np.float64)
    error = samples.std(ddof=1) / math.sqrt(len(samples))
    assert abs(samples.mean() - expected) <= 4.5 * error, f"{samples.mean()}, expected {expected} ± {error}"


def assert_near_one(power, count):
    """The mean square of so many independent N(0, 1)."""
    assert abs(power - 1) <= 4.5 * math.sqrt(2 / count)


@pytest.mark.parametrize("snr", [0.5, 4.0])
def test_the_error_falls_linearly_with_the_bands_of_a_known_system(snr):
    """B5: the slope is -m snr / (1 + snr), where m is the number of symbols in a band."""
    chosen = settings(snr=snr, bands=BANDS)
    found = communication.communication_samples(KnownSystem(snr), chosen, images(1000), batch_size=500)
    total = BANDS * BAND
    errors = np.array([found[f"mse_bands_{count}"] for count in range(BANDS + 1)]) * total / SCALE**2
    steps = np.diff(errors, axis=0)  # paired: the same images, the same noise
    for count in range(BANDS):
        assert_mean(errors[count], total - count * BAND * snr / (1 + snr))
        assert_mean(steps[count], -BAND * snr / (1 + snr))
    for curvature in np.diff(steps, axis=0):
        assert_mean(curvature, 0.0)
    slope, _ = np.polyfit(np.arange(BANDS + 1), errors.mean(axis=1), 1)
    assert abs(slope / (-BAND * snr / (1 + snr)) - 1) < 0.02
    # All bands received, from half of the draws.
    assert_mean(found["mse"] * total / SCALE**2, total / (1 + snr))
    assert not np.array_equal(found["mse"], found[f"mse_bands_{BANDS}"])


def test_names_standard_errors_and_capacity():
    snr = 3.0
    found = communication.measure(KnownSystem(snr), settings(snr=snr), images(200), draws=2)
    assert list(found) == ["mse", "psnr", "rate", "transmission_rate", "source_rate", "power", "capacity_used"]
    assert_near_one(found["power"].value, 200 * BANDS * BAND)
    mse, error = found["mse"]
    assert found["psnr"].value == pytest.approx(-10 * math.log10(mse))
    above, below = (-10 * math.log10(mse + sign * error) for sign in (1, -1))
    assert found["psnr"].standard_error == pytest.approx((below - above) / 2, rel=0.01)
    assert found["capacity_used"].value == pytest.approx(15.0 / (BANDS * BAND))  # a bit per symbol
    assert found["transmission_rate"].standard_error == 0
    several = communication.measure(KnownSystem(snr), settings(snr=snr, bands=BANDS), images(7), draws=1)
    assert [name for name in several if "bands" in name] == [f"mse_bands_{count}" for count in range(BANDS + 1)]
    unbounded = communication.measure(KnownSystem(snr), settings(snr=snr, power="element"), images(7), draws=1)
    assert "capacity_used" not in unbounded and "source_rate" in unbounded


def test_every_draw_has_noise_of_its_own_and_every_image_counts_once():
    codec, x = KnownSystem(1.0), images(10)
    found = communication.communication_samples(codec, settings(), x, draws=3, batch_size=4)
    assert all(len(values) == 10 for values in found.values())
    np.testing.assert_allclose(found["rate"], x.sum((1, 2, 3)), rtol=1e-5)  # in the order of the images
    batches = 3
    assert len(codec.seeds) == batches * (3 * 3 + 1)
    assert len(set(codec.seeds)) == len(codec.seeds)
    again = communication.communication_samples(KnownSystem(1.0), settings(), x, draws=3, batch_size=4)
    np.testing.assert_array_equal(again["mse"], found["mse"])
    other = communication.communication_samples(KnownSystem(1.0), settings(), x, draws=3, batch_size=4, seed=1)
    assert np.abs(other["mse"] - found["mse"]).min() > 0


def test_what_arrives_is_clipped_and_errors_are_not_those_of_a_mean_image():
    class Extreme(KnownSystem):
        def receive(self, symbols, bands, seed):
            coin = tf.random.stateless_uniform([], seed)
            return {"images": tf.fill([len(symbols), *SHAPE], tf.where(coin < 0.5, -7.0, 7.0))}

    grey = np.full([3, *SHAPE], 0.5, np.float32)
    found = communication.measure(Extreme(1.0), settings(), grey, draws=20)
    assert found["mse"].value == pytest.approx(0.25)  # that of the mean image would be near 0
    assert found["psnr"].value == pytest.approx(10 * math.log10(4))
    bytes_ = communication.measure(Extreme(1.0), settings(), np.full([3, *SHAPE], 255, np.uint8), draws=20)
    assert 0 < bytes_["mse"].value < 1  # white is right half of the time


def test_bits():
    class Bits(KnownSystem):
        def transmit(self, images, seed):
            return {"symbols": tf.cast(tf.random.stateless_uniform([len(images), 60], seed) < 0.5, tf.float32)}

        def corrupt(self, symbols, seed):
            u = tf.random.stateless_uniform(tf.shape(symbols), seed)
            return {"symbols": tf.where(u < 0.1, 1 - symbols, tf.where(u > 0.75, 0.5, symbols))}

        def rates(self, images, seed):
            return {"rate": tf.zeros([len(images)])}

    symmetric = settings(kind="binary_symmetric", p_keep=0.9, snr=1.0)
    found = communication.measure(Bits(1.0), symmetric, images(400), draws=2)
    assert list(found) == ["mse", "psnr", "rate", "ber"]
    # Over 48,000 bits.
    assert abs(found["ber"].value - 0.1) < 4.5 * math.sqrt(0.1 * 0.9 / 48_000)
    erasing = settings(kind="binary_erasure", erase_probability=0.25, snr=1.0)
    found = communication.measure(Bits(1.0), erasing, images(400), draws=2)
    assert abs(found["ber"].value - 0.1) < 4.5 * math.sqrt(0.1 * 0.9 / 48_000)
    assert abs(found["erased"].value - 0.25) < 4.5 * math.sqrt(0.25 * 0.75 / 48_000)


@pytest.mark.parametrize("snr", [1.0, 3.0])
def test_a_channel_autoencoder_sends_numbers(snr):
    chosen = settings("channel_autoencoder", snr=snr)
    assert communication.optimum(chosen) == pytest.approx(1 / (1 + snr))
    draws = np.zeros([2000, 0], np.uint8)  # as the data set has them: they count only
    samples = communication.communication_samples(KnownSystem(snr, scale=None), chosen, draws, draws=1)
    assert_mean(samples["mse"], 1 / (1 + snr))
    found = communication.measure(KnownSystem(snr, scale=None), chosen, draws[:50])
    assert list(found) == ["mse", "rate", "transmission_rate", "source_rate", "power", "capacity_used"]
    assert_near_one(found["power"].value, 200 * BANDS * BAND)
    (note,) = communication.notes(chosen)
    assert f"below {1 / (1 + snr):.4g}" in note
    mine = np.ones([4, 60], np.float32)  # numbers of the caller's own
    np.testing.assert_array_equal(communication.source(chosen, mine, [0, 1]), mine)


def test_notes():
    assert communication.notes(settings()) == ["objective rd, beta 0.1"]
    assert "not bounded" in communication.notes(settings(power="element"))[0]
    assert communication.notes(settings("source_vae")) == []


def test_impossible_arguments():
    with pytest.raises(ValueError, match="no images"):
        communication.measure(KnownSystem(1.0), settings(), images(0))
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        communication.measure(KnownSystem(1.0), settings(), images(2), draws=0)
