"""Images in memory as uint8, and the input pipelines of training and testing.

```python
dataset = data.load("fashion_mnist")                 # or "images/", "scans.npz", ...
batches = data.training_pipeline(dataset.train_images, batch_size=128, seed=1, epochs=3)
```
"""

import dataclasses
import difflib
import hashlib
import pathlib

import numpy as np
import tensorflow as tf

from tfcoded.config.datasets import DRAWN, NAMES
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import expanded

_PURPOSE = 0x5B0F  # keeps the shuffling of a scalar seed apart from other uses of the same number


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
        _check_images(self.train_images, f"{self.name}: training images")
        _check_images(self.test_images, f"{self.name}: test images")
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


def load(name_or_path, data_dir=None):
    """Loads a data set by name, or the user's own images by path.

    Args:
      name_or_path: one of `NAMES`; or the path of a `.npy` or `.npz` file or of a folder of images, see
        `tfcoded.data.files.load`. A name wins over a path of the same spelling.
      data_dir: `str` or `os.PathLike`, where tensorflow-datasets keeps its prepared data and downloads;
        `None` is its own default (`TFDS_DATA_DIR`, else `~/tensorflow_datasets`). Not used for a path, nor for
        what is drawn: "synthetic", "normal".

    Returns:
      A `Dataset`. The named data sets are prepared at the first use (a message says so); after that, loading
      takes seconds (CelebA, whose images are made small each time: a minute or two).

    Raises:
      DataError: unknown name, missing or damaged archive, no network, unwritable `data_dir`, unreadable
        images.
    """
    name = str(name_or_path)
    require_known(name)
    if name in DRAWN:
        from tfcoded.data import synthetic as data_drawn

        return data_drawn.load(name)
    if name in NAMES:
        from tfcoded.data import prepared as data_prepared  # imports tensorflow-datasets, which only the named data sets need

        return data_prepared.load(name, data_dir)
    from tfcoded.data import files as data_files

    return data_files.load(expanded(name))


def require_known(name):
    """Raises `DataError` unless `name` is one of `NAMES` or an existing path; reads no images."""
    if not name:  # as a path, it would be the current folder
        raise DataError(f"the name of the data set is empty; expected one of {', '.join(NAMES)}, or a path")
    if name in NAMES or pathlib.Path(expanded(name)).exists():
        return
    close = difflib.get_close_matches(name.lower(), NAMES, n=1)
    raise DataError(
        f"unknown data set {name!r}, neither a known name nor an existing path; "
        + (f"did you mean {close[0]!r}? " if close else "")
        + f"expected one of {', '.join(NAMES)}, a .npy or .npz file or a folder of images"
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
    _check_count(count, "train_images")
    if dataset.image_shape == (0,):
        return np.zeros([count, 0], np.uint8)
    if count > len(images):
        raise DataError(f"--train_images={count}, but {dataset.name} has {len(images)} of them")
    return images[:count]


def digest(array):
    """SHA-256 of an array of images or labels, by which exchanged ones are noticed, a `str` of hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()


def steps_per_epoch(images_count, batch_size):
    """Number of batches (`int`) into which the pipelines divide `images_count` images."""
    _check_count(batch_size, "batch_size")
    return -(-images_count // batch_size)


def training_pipeline(images, batch_size, seed, first_epoch=0, epochs=1):
    """Shuffled batches, epoch after epoch; every image once per epoch.

    The order of an epoch is a function of `seed` and the epoch's number alone, so a run that resumes at epoch
    `k` with `first_epoch=k` reads exactly the batches which the uninterrupted run reads from there.
    The images are held once, as one tensor in host memory from which each batch is gathered: `tf.distribute`
    hands every replica its part of a batch, not a copy of the data (but may hold one more copy, whatever the
    number of replicas). Between workers the batches are split (`AutoShardPolicy.DATA`); every worker must be given the
    same images in the same order. Where a last batch has fewer images than there are replicas, some of them
    get none.

    Args:
      images: `[N, H, W, C]` (or `[N, 0]`, see `Dataset`), `uint8`, `np.ndarray` or `tf.Tensor`.
      batch_size: `int`, images per global batch. The last batch of an epoch holds what remains.
      seed: `int`, or a stateless seed, integers of shape `[2]`.
      first_epoch: `int`, number of the first epoch, counted from 0.
      epochs: `int`, how many epochs follow from `first_epoch` on.

    Returns:
      A `tf.data.Dataset` of `[b, H, W, C]`, `tf.uint8`, with
      `epochs * steps_per_epoch(N, batch_size)` elements (its cardinality is known).

    Raises:
      DataError: if the images are not uint8 `[N, H, W, C]` or a number is out of range.

    Example:

    ```python
    whole = training_pipeline(images, 128, seed=7, epochs=3)
    rest = training_pipeline(images, 128, seed=7, first_epoch=1, epochs=2)  # whole, without its first epoch
    ```
    """
    _check_images(images, "training images")
    if first_epoch < 0 or epochs < 0:
        raise DataError(f"first_epoch and epochs must not be negative, got {first_epoch} and {epochs}")
    count = int(images.shape[0])
    steps = steps_per_epoch(count, batch_size)
    seed = tf.constant(seed_pair(seed), tf.int64)
    images = _in_host_memory(images)

    def one_epoch(epoch):
        key = tf.random.experimental.stateless_fold_in(seed, epoch, alg="philox")
        # The algorithm is named because "auto_select" may differ between kinds of device.
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=key, alg="philox")
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(lambda start: tf.gather(images, order[start : start + batch_size]))

    numbers = tf.data.Dataset.range(first_epoch, first_epoch + epochs)
    batches = numbers.flat_map(one_epoch)
    batches = batches.apply(tf.data.experimental.assert_cardinality(epochs * steps))  # unknown to flat_map
    return _finish(batches)


def test_pipeline(images, batch_size):
    """Batches in the order of `images`, once; the last batch holds what remains.

    Args:
      images: `[N, H, W, C]`, `uint8`, `np.ndarray` or `tf.Tensor`; held once, as in `training_pipeline`.
      batch_size: `int`, images per global batch.

    Returns:
      A `tf.data.Dataset` of `[b, H, W, C]`, `tf.uint8`, with `steps_per_epoch(N, batch_size)` elements.

    Raises:
      DataError: if the images are not uint8 `[N, H, W, C]` or `batch_size` is not positive.
    """
    _check_images(images, "test images")
    _check_count(batch_size, "batch_size")
    images = _in_host_memory(images)
    starts = tf.data.Dataset.range(0, int(images.shape[0]), batch_size)
    return _finish(starts.map(lambda start: images[start : start + batch_size]))


test_pipeline.__test__ = False  # not a test: keeps pytest from collecting it where it is imported


def _finish(batches):
    options = tf.data.Options()
    # There are no files to share out, so workers share the batches.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # Rewriting the graph would copy the captured images while an iterator is made, and has nothing to gain.
    options.experimental_optimization.apply_default_optimizations = False
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def _in_host_memory(images):
    with tf.device("CPU:0"):  # else a GPU would get the whole data set, and each batch would travel back
        return tf.convert_to_tensor(images)


def seed_pair(seed):
    """The two integers from which the order of every epoch follows; `seed` is as in `training_pipeline`.

    Raises:
      DataError: if it is neither an integer nor two of them.
    """
    pair = np.asarray(seed)
    if pair.dtype.kind not in "iu" or pair.shape not in ((), (2,)):
        raise DataError(f"seed must be an integer or two of them, got {seed!r}")
    return (int(pair), _PURPOSE) if pair.shape == () else tuple(int(part) for part in pair)


def _check_count(count, what):
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise DataError(f"{what} must be a positive integer, got {count!r}")


def _check_images(images, what):
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
