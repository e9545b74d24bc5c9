import numpy as np
import pytest

from tfcoded.metrics.frechet import feature_statistics
from tfcoded.metrics.frechet.feature_statistics import FeatureStatistics, of_images
from tfcoded.utils.errors import UserError


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [count, 4, 4, 3]).astype(np.uint8)


def extract(batch):
    """Three features of each image, correlated and far from zero."""
    pixels = batch.astype(np.float32).reshape(len(batch), -1)
    return pixels[:, :3] @ np.float32([[1, 1, 0], [0, 1, 1], [0, 0, 1]]) / 255 + 10


class Counting:
    """`extract` that counts its images and is interrupted after a number of calls."""

    def __init__(self, calls=10**6):
        self.calls, self.seen = calls, 0

    def __call__(self, batch):
        if not self.calls:
            raise KeyboardInterrupt
        self.calls -= 1
        self.seen += len(batch)
        return extract(batch)


def check(statistics, which):
    features = extract(which).astype(np.float64)
    assert statistics.count == len(which)
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [7, 20, 100])
def test_mean_and_covariance(batch_size):
    check(of_images(images(20), extract, 3, name="f", batch_size=batch_size), images(20))


def test_it_continues_after_an_interruption(tmp_path):
    options = {"name": "f", "batch_size": 4, "folder": tmp_path, "seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        of_images(images(20), Counting(calls=3), 3, **options)
    rest = Counting()
    check(of_images(images(20), rest, 3, **options | {"batch_size": 5}), images(20))
    assert rest.seen == 20 - 3 * 4
    again = Counting()
    check(of_images(images(20), again, 3, **options), images(20))
    assert again.seen == 0


def test_other_images_and_other_features_are_not_mixed_up(tmp_path):
    of_images(images(20), extract, 3, name="f", folder=tmp_path)
    for which, name in ((images(20, seed=1), "f"), (images(19), "f"), (images(20), "g")):
        fresh = Counting()
        check(of_images(which, fresh, 3, name=name, folder=tmp_path), which)
        assert fresh.seen == len(which)
    assert len(list(tmp_path.iterdir())) == 4
    # The same bytes in another shape are other images.
    assert feature_statistics.statistics_path(
        images(20).reshape(10, 8, 4, 3), "f", tmp_path
    ) != feature_statistics.statistics_path(images(20), "f", tmp_path)


def test_a_file_of_another_key_is_ignored_and_a_damaged_one_reported(tmp_path):
    path = tmp_path / "sums.npz"
    statistics = FeatureStatistics(3)
    statistics.update(extract(images(5)))
    statistics.save(path, "key")
    check(FeatureStatistics.restore(path, "key"), images(5))
    assert FeatureStatistics.restore(path, "other") is None
    assert FeatureStatistics.restore(tmp_path / "absent.npz", "key") is None
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="sums.npz is damaged .* delete it"):
        FeatureStatistics.restore(path, "key")


def test_images_must_be_uint8():
    with pytest.raises(UserError, match="got float32 of shape"):
        of_images(np.zeros([2, 4, 4, 3], np.float32), extract, 3, name="f")
