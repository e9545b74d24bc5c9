"""Frechet distances in closed form; the FID network itself is tested in test_inception.py."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import config
from tfcoded.metrics import frechet
from tfcoded.metrics.frechet import distances
from tfcoded.metrics.frechet.feature_statistics import FeatureStatistics
from tfcoded.metrics.tfgan import classifier_metrics
from tfcoded.utils.errors import UserError


def with_moments(mean, covariance, count=50, seed=0):
    """Statistics of vectors that have exactly this sample mean and covariance."""
    x = np.random.default_rng(seed).normal(size=[count, len(mean)])
    x -= x.mean(axis=0)
    whitened = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False)).T)
    statistics = FeatureStatistics(len(mean))
    statistics.update(whitened @ np.linalg.cholesky(covariance).T + mean)
    return statistics


def random_covariance(size, seed):
    x = np.random.default_rng(seed).normal(size=[size, size])
    return x @ x.T + 0.1 * np.eye(size)


def test_equal_gaussians():
    covariance = random_covariance(6, 0)
    first, second = with_moments(np.arange(6.0), covariance), with_moments(np.arange(6.0), covariance, seed=1)
    assert abs(frechet.distance(first, second)) < 1e-9
    assert abs(frechet.distance(first, first)) < 1e-9


def test_diagonal_covariances():
    # (m1 - m2)^2 + (s1 - s2)^2, summed over the dimensions.
    means = np.array([0.0, 1.0, -2.0]), np.array([0.5, 1.0, 1.0])
    deviations = np.array([1.0, 2.0, 0.1]), np.array([3.0, 2.0, 0.4])
    first, second = (with_moments(m, np.diag(s**2)) for m, s in zip(means, deviations))
    expected = 0.25 + 9.0 + 4.0 + 0.09
    np.testing.assert_allclose(frechet.distance(first, second), expected, rtol=1e-9)
    np.testing.assert_allclose(frechet.distance(second, first), expected, rtol=1e-9)


def test_commuting_covariances():
    # With common eigenvectors the root of the product is the product of the roots.
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=[5, 5]))[0]
    values = np.array([4.0, 1.0, 0.25, 9.0, 2.0]), np.array([1.0, 1.0, 4.0, 0.04, 3.0])
    first, second = (with_moments(np.zeros(5), rotation * v @ rotation.T) for v in values)
    expected = np.sum((np.sqrt(values[0]) - np.sqrt(values[1])) ** 2)
    np.testing.assert_allclose(frechet.distance(first, second), expected, rtol=1e-9)


def test_any_covariances():
    covariances = random_covariance(8, 1), random_covariance(8, 2)
    first, second = (with_moments(np.full(8, m), c) for m, c in zip((0.0, 0.5), covariances))
    # The eigenvalues of a product of covariances are not negative, although it is not symmetric.
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real)
    expected = 8 * 0.25 + np.trace(covariances[0] + covariances[1]) - 2.0 * roots.sum()
    np.testing.assert_allclose(frechet.distance(first, second), expected, rtol=1e-8)


def test_tensorflow_gan_finds_the_same_from_the_vectors():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=[300, 20]), rng.gamma(2.0, size=[200, 20])
    statistics = FeatureStatistics(20), FeatureStatistics(20)
    for each, vectors in zip(statistics, (x, y)):
        each.update(vectors)
    theirs = classifier_metrics().frechet_classifier_distance_from_activations(tf.constant(x), tf.constant(y))
    np.testing.assert_allclose(frechet.distance(*statistics), theirs, rtol=1e-8)


def test_sampled_gaussians():
    # |shift|^2 = 4; the standard deviation of the estimate is 2 |shift| sqrt(2 / n) = 0.04 and its bias below
    # 0.002, so that the bounds at six of them fail once in 5e8 seeds.
    rng = np.random.default_rng(4)
    statistics = FeatureStatistics(4), FeatureStatistics(4)
    for each, shift in zip(statistics, (0.0, 1.0)):
        each.update(rng.normal(size=[20_000, 4]) + shift)
    assert 4.0 - 0.24 < frechet.distance(*statistics) < 4.0 + 0.24


def test_noise_on_images_makes_the_distance_grow(quick):
    images, generator = pictures(60, seed=5), np.random.default_rng(6)
    distances = [expected_distance(images, images)]
    for deviation in (8, 32, 128):
        noisy = images + deviation * generator.normal(size=images.shape)
        distances.append(expected_distance(images, np.clip(np.round(noisy), 0, 255).astype(np.uint8)))
    assert abs(distances[0]) < 1e-9
    assert all(less < more / 2 for less, more in zip(distances, distances[1:])), distances


def test_too_few_vectors():
    first = with_moments(np.zeros(4), np.eye(4), count=5)
    second = FeatureStatistics(4)
    second.update(np.eye(4))
    assert abs(frechet.distance(first, first)) < 1e-9
    with pytest.raises(UserError, match="4 features needs more than 4 images of either kind, got 5 and 4"):
        frechet.distance(first, second)


def test_no_stand_in_modules_are_left_behind():
    assert classifier_metrics() is classifier_metrics()
    loaded = {name for name in sys.modules if name.startswith("tensorflow_gan.python.")}
    assert "tensorflow_gan.python.eval.classifier_metrics" in loaded
    assert [name for name in loaded if getattr(sys.modules[name], "__file__", None) is None] == []


# `measure`, with features that are means over parts of an image.

CONFIG = config.from_dict(
    {
        "name": "fake",
        "dataset": "cifar10",
        "likelihood": "gaussian",
        "beta": 15,
        "code": {"kind": "repetition", "information_bits": 5, "code_bits": 50},
        "network": {"image_shape": [32, 32, 3]},
        "training": {"epochs": 1},
    }
)


class Codec:
    """Generates noise of a stated brightness; remembers how many images were asked for at a time."""

    def __init__(self, brightness=1.0, shape=(32, 32, 3)):
        self.brightness, self.shape, self.asked = brightness, shape, []

    def generate(self, n, seed):
        self.asked.append(int(n))
        return {"images": self.brightness * tf.random.stateless_uniform([n, *self.shape], seed)}


def means(images):
    return np.float32(images)[:, :2, :2].mean(axis=(1, 2)) / 255


@pytest.fixture(name="quick")
def _quick(monkeypatch):
    """Three features for 2,048, and 60 images for 10,000."""
    monkeypatch.setattr(distances, "FEATURES", 3)
    monkeypatch.setattr(distances, "IMAGES", 60)
    monkeypatch.setattr(distances, "inception_features", lambda weights: means)


def pictures(count, seed=0, shape=(32, 32, 3)):
    return np.random.default_rng(seed).integers(0, 256, [count, *shape]).astype(np.uint8)


def expected_distance(x, y):
    statistics = [FeatureStatistics(3), FeatureStatistics(3)]
    for each, images in zip(statistics, (x, y)):
        each.update(means(images))
    return frechet.distance(*statistics)


def test_measuring_a_model(quick, tmp_path):
    codec = Codec(0.5)
    options = {"generated": 60, "weights": "w", "batch_size": 25, "folder": tmp_path}
    measured = frechet.measure(codec, CONFIG, pictures(60), seed=3, **options)
    assert list(measured) == ["fid"] and codec.asked == [25, 25, 10]
    made = frechet.generate(codec, 60, 3, 25)
    assert made.shape == (60, 32, 32, 3) and made.dtype == np.uint8 and len(np.unique(made[:25] - made[25:50])) > 9
    np.testing.assert_allclose(measured["fid"].value, expected_distance(pictures(60), made), rtol=1e-12)
    assert measured["fid"].standard_error is None
    assert len(list(tmp_path.iterdir())) == 1  # of the test images only
    assert frechet.measure(codec, CONFIG, pictures(60), seed=3, **options) == measured
    assert frechet.measure(codec, CONFIG, pictures(60), seed=4, **options) != measured


def test_other_numbers_of_images_have_other_names(quick):
    def measure(generated, images, **more):
        return set(frechet.measure(Codec(), CONFIG, pictures(images), generated=generated, **more))

    assert measure(50, 60, weights="w") == {"fid_50_60"}
    assert measure(60, 40, weights="w", classifier=means) == {
        "fid_60_40",
        "classifier_frechet_distance_60_40",
    }
    assert measure(60, 60, classifier=means) == {"classifier_frechet_distance"}
    assert measure(60, 60) == set()
    for generated, images in ((3, 60), (60, 3)):
        with pytest.raises(UserError, match=f"got {generated} and {images}"):
            measure(generated, images, weights="w")


def test_grey_images_have_no_fid(quick):
    shape = (28, 28, 1)
    grey = config.override(CONFIG, ["dataset=mnist", "likelihood=bernoulli", "network.image_shape=[28,28,1]"])
    images, codec = pictures(60, shape=shape), Codec(shape=shape)

    def classifier(images):
        assert images.dtype == np.uint8
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=[2, 3])[:, :1] + tf.zeros([len(images), 1])

    measured = frechet.measure(codec, grey, images, generated=60, weights="w", classifier=classifier)
    assert list(measured) == ["classifier_frechet_distance"]
    first = [each.astype(np.float64)[:, 0].mean(axis=(1, 2)) for each in (images, frechet.generate(codec, 60, 0))]
    moments = [(x.mean(), x.std(ddof=1)) for x in first]
    expected = sum((a - b) ** 2 for a, b in zip(*moments))
    np.testing.assert_allclose(measured["classifier_frechet_distance"].value, expected, rtol=1e-5)


def test_images_of_another_shape():
    with pytest.raises(UserError, match=r"images are \[4, 4, 3\], but fake makes \[32, 32, 3\]"):
        frechet.measure(Codec(), CONFIG, np.zeros([9, 4, 4, 3], np.uint8))


def test_generated_images_are_rounded_as_when_saved():
    class Levels:
        def generate(self, n, seed):
            return {"images": tf.reshape(tf.constant([0.0, 0.4, 0.6, 254.6, 255.0, 300.0]) / 255.0, [1, 1, 2, 3])}

    np.testing.assert_array_equal(frechet.generate(Levels(), 1, 0).ravel(), [0, 0, 1, 255, 255, 255])


def test_between_two_sets(quick, tmp_path):
    x, y = pictures(50), pictures(40, seed=1) // 2
    found = frechet.between(x, y, "w", batch_size=7, folder=tmp_path)
    np.testing.assert_allclose(found, expected_distance(x, y), rtol=1e-12)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UserError, match="colour images"):
        frechet.between(x, y[..., :1], "w")
