import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.experiments import distances, plan
from tfcoded.utils.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, [400, 8, 8, 3]).astype(np.uint8)


class FakeCodec:
    """Sends the first pixels; every band that is lost turns an image darker."""

    def transmit(self, images, seed):
        return {"symbols": tf.reshape(images, [len(images), -1])}

    def corrupt(self, symbols, seed):
        return {"symbols": symbols}

    def receive(self, symbols, bands, seed):
        images = tf.reshape(symbols, [len(symbols), 8, 8, 3])
        return {"images": images - 0.1 * tf.cast(4 - bands, tf.float32)}


def features(images):
    assert images.dtype == np.uint8
    return np.asarray(images, np.float64)[:, :2, 0, 0] / 255


def test_distance_grows_with_every_lost_band():
    found = distances.measure(FakeCodec(), 4, IMAGES, (features, 2), name="fd", seed=0)
    assert set(found) == {"fd_originals", *(f"fd_bands_{b}" for b in range(5))}
    values = [found[f"fd_bands_{b}"].value for b in range(5)]
    assert values == sorted(values, reverse=True)
    # Received whole, the first half is as far from the second as its originals.
    assert values[4] == pytest.approx(found["fd_originals"].value, abs=1e-12)
    assert 0 < found["fd_bands_0"].standard_error < 0.2 * values[0]


def test_distance_grows_with_noise(fashion):
    """F3, with the zoo's classifier: each step is several times what noise of another seed changes."""
    settings = plan.Settings(dataset="fashion_mnist", image_shape=(28, 28, 1))
    extract, _ = distances.extractor(settings)
    first, second = fashion.test_images[:500], np.asarray(extract(fashion.test_images[500:1000]))

    def noisy(std, seed):
        noise = 255 * std * np.random.default_rng(seed).standard_normal(first.shape)
        images = np.clip(np.round(first + noise), 0, 255).astype(np.uint8)
        return distances.distance(np.asarray(extract(images)), second).value

    values = [noisy(std, 0) for std in (0.0, 0.1, 0.2, 0.4)]
    repeated = [abs(noisy(std, 1) - value) for std, value in zip((0.1, 0.2, 0.4), values[1:])]
    assert np.min(np.diff(values)) > 3 * max(repeated) > 0


def test_distance_of_two_normal_laws():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, [20_000, 2]), rng.normal(1, 3, [20_000, 2])
    quantity = distances.distance(a, b)
    assert quantity.value == pytest.approx(2 + 2 * 4, abs=6 * quantity.standard_error)
    assert 0 < quantity.standard_error < 0.2


def test_many_features_have_no_error():
    rng = np.random.default_rng(0)
    assert distances.distance(rng.normal(size=[100, 65]), rng.normal(size=[100, 65])).standard_error is None


def test_too_few_images():
    with pytest.raises(UserError, match="more than 4 test images, got 4"):
        distances.measure(FakeCodec(), 4, IMAGES[:4], (features, 2), name="fd", seed=0)


def test_classifier_of_the_zoo():
    network, dimensions = distances.extractor(plan.Settings(dataset="cifar10"))
    assert dimensions == 10
    assert network(np.zeros([3, 32, 32, 3], np.uint8)).shape == (3, 10)


def test_no_network(tmp_path):
    (tmp_path / "bwlc_alv").mkdir()
    settings = dataclasses.replace(plan.Settings(), dataset="unknown", zoo_dir=str(tmp_path))
    with pytest.raises(UserError, match="no classifier of unknown"):
        distances.extractor(settings)
