"""Mean and covariance of the features of many images, in one pass that can be interrupted."""

import hashlib
import pathlib
import time

import numpy as np

from tfcoded.utils import npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically
from tfcoded.utils.progress import progress


class FeatureStatistics:
    """Running sums of feature vectors and of their products.

    The sums are float64: the features of a FID network are float32 of about 0.3 with a variance of about 0.1,
    so that subtracting the squared mean from the mean square costs no digit that matters.

    Args:
      dimensions: `int`, length of a feature vector.

    Example:

    ```python
    statistics = FeatureStatistics(2048)
    statistics.update(network(images))
    statistics.mean, statistics.covariance
    ```
    """

    def __init__(self, dimensions):
        self.count = 0
        self._sum = np.zeros([dimensions])
        self._products = np.zeros([dimensions, dimensions])

    @property
    def dimensions(self):
        """Length of a feature vector, `int`."""
        return len(self._sum)

    def update(self, features):
        """Adds feature vectors, `[n, dimensions]`."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self._sum += features.sum(axis=0)
        self._products += features.T @ features

    @property
    def mean(self):
        """`[dimensions]` float64."""
        return self._sum / self.count

    @property
    def covariance(self):
        """`[dimensions, dimensions]` float64, with `count - 1` in the denominator; needs two vectors."""
        return (self._products - np.outer(self._sum, self._sum / self.count)) / (self.count - 1)

    def save(self, path, key):
        """Writes the sums to the file `path`, whole or not at all, under the name `key` of what is summed."""
        upper = self._products[np.triu_indices(self.dimensions)]
        arrays = {"key": key, "count": self.count, "sum": self._sum, "products": upper}
        write_atomically(path, npz.packed(arrays))

    @classmethod
    def restore(cls, path, key):
        """Reads what `save` wrote.

        Args:
          path: `pathlib.Path`.
          key: `str`, as it was saved.

        Returns:
          `FeatureStatistics`, or `None` if there is no such file or it holds sums of something else.

        Raises:
          UserError: if the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            arrays = npz.read(path)
            if str(arrays["key"]) != key:
                return None
            restored = cls(len(arrays["sum"]))
            restored.count = int(arrays["count"])
            restored._sum[:] = arrays["sum"]
            restored._products[np.triu_indices(restored.dimensions)] = arrays["products"]
        except (ValueError, KeyError) as error:
            raise UserError(f"{path} is damaged ({error}); delete it") from error
        lower = np.tril_indices(restored.dimensions, -1)
        restored._products[lower] = restored._products.T[lower]
        return restored


def of_images(images, extract, dimensions, *, name, batch_size=50, folder=None, seconds=60.0, label="features"):
    """Statistics of the features of images.

    With a folder, the sums are written there every so many seconds and at the end, in a file named after the
    content of the images. The next call with the same images, in this process or another, continues from it;
    a finished one is only read.

    Args:
      images: `[N, H, W, C]`, uint8.
      extract: function from uint8 images `[n, H, W, C]` to features `[n, dimensions]`.
      dimensions: `int`.
      name: `str` that stands for `extract` in the file's name; other features need another name.
      batch_size: `int`, images given to `extract` at a time.
      folder: `str` or `os.PathLike`, or `None` to write nothing.
      seconds: `float`, time between two writings.
      label: `str`, shown as progress.

    Returns:
      `FeatureStatistics` of all images.

    Raises:
      UserError: if the images are not uint8, or the file of an earlier call is damaged.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(
            f"features are those of uint8 images [N, H, W, C], got {images.dtype.name} of shape {list(images.shape)}"
        )
    statistics, path = None, None
    if folder is not None:
        path = statistics_path(images, name, folder)
        statistics = FeatureStatistics.restore(path, path.stem)
    statistics = statistics or FeatureStatistics(dimensions)
    starts = range(statistics.count, len(images), batch_size)
    saved = time.monotonic()
    for start in progress(starts, label, len(starts)):
        statistics.update(extract(images[start : start + batch_size]))
        if path is not None and (time.monotonic() - saved >= seconds or statistics.count == len(images)):
            statistics.save(path, path.stem)
            saved = time.monotonic()
    return statistics


def statistics_path(images, name, folder):
    """The file, a `pathlib.Path`, in which `of_images` keeps the statistics of these images."""
    state = hashlib.sha256(str(images.shape).encode())
    state.update(np.ascontiguousarray(images))
    return pathlib.Path(folder) / f"{name}-{state.hexdigest()}.npz"
