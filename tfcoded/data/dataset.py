"""A data set in memory."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfcoded.utils.errors import UserError


class DataError(UserError):
    """The data asked for is missing, damaged or of the wrong kind."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A data set of images, whole and in memory.

    Attributes:
      name: `str`.
      train_images: `[N, H, W, C]`, `np.uint8`, C = 1 (grey) or 3 (RGB). Or `[N, 0]`: N draws that carry nothing.
      train_labels: `[N]`, `np.int64`, or `None` if there are none.
      test_images: `[N', H, W, C]`, `np.uint8`, of the same H, W, C.
      test_labels: `[N']`, `np.int64`, or `None`.

    Raises:
      DataError: if an array has another dtype or shape; the message names it.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray | None
    test_images: np.ndarray
    test_labels: np.ndarray | None

    def __post_init__(self):
        check_images(self.train_images, f"{self.name}: training images")
        check_images(self.test_images, f"{self.name}: test images")
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise DataError(
                f"{self.name}: training images are {_size(self.train_images)} but test images are "
                f"{_size(self.test_images)}; both must have one size and one number of channels"
            )
        _check_labels(self.train_labels, self.train_images, f"{self.name}: training labels")
        _check_labels(self.test_labels, self.test_images, f"{self.name}: test labels")

    @property
    def image_shape(self):
        """`(height, width, channels)`, or `(0,)` of draws that carry nothing."""
        return self.train_images.shape[1:]

    def require_shape(self, shape):
        """Raises `DataError` unless the images are of `shape`, the `item_shape` of a configuration."""
        if self.image_shape == tuple(shape):
            return
        if tuple(shape) == (0,):
            raise DataError(f"{self.name} has images, which the model does not send; expected the data set 'normal'")
        if self.image_shape == (0,):
            raise DataError(f"{self.name} has no images; expected a data set of images")
        raise DataError(
            f"the images of {self.name} are {_size(self.train_images)}, but the model is made for "
            f"{'x'.join(map(str, shape))} (network.image_shape)"
        )


def first_images(dataset, count):
    """The first `count` training images of a data set, all of them if it is `None`.

    Args:
      dataset: a `Dataset`.
      count: `int`, or `None`. Of draws that carry nothing there are as many as one likes.

    Returns:
      `[count, ...]`, `np.uint8`.

    Raises:
      DataError: if there are fewer, or `count` is no positive integer.
    """
    images = dataset.train_images
    if count is None:
        return images
    check_count(count, "train_images")
    if dataset.image_shape == (0,):
        return np.zeros([count, 0], np.uint8)
    if count > len(images):
        raise DataError(f"--train_images={count}, but {dataset.name} has {len(images)} of them")
    return images[:count]


def check_count(count, what):
    """Refuses a `count` that is no positive integer with a `DataError`; `what` is its name in the message."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise DataError(f"{what} must be a positive integer, got {count!r}")


def check_images(images, what):
    """Refuses `images` that are no np.uint8 `[N, h, w, c]` with a `DataError`; `what` is their name in the message."""
    dtype, shape = getattr(images, "dtype", None), tuple(getattr(images, "shape", ()))
    images_shape = len(shape) == 4 and shape[3] in (1, 3) and 0 not in shape
    draws_shape = len(shape) == 2 and shape[0] > 0 and shape[1] == 0
    if dtype not in (np.uint8, tf.uint8) or not (images_shape or draws_shape):
        raise DataError(
            f"{what} must be uint8 of shape [N, height, width, 1 or 3], none of them 0; got "
            f"{getattr(dtype, 'name', type(images).__name__)} of shape {list(shape)}"
        )


def _check_labels(labels, images, what):
    if labels is not None and (labels.dtype != np.int64 or labels.shape != images.shape[:1]):
        raise DataError(
            f"{what} must be int64 of shape [{len(images)}], one per image; got {labels.dtype.name} of shape "
            f"{list(labels.shape)}"
        )


def _size(images):
    return "x".join(str(side) for side in images.shape[1:])
