"""Pipelines that feed a training: shuffled anew in every epoch, the same for the same seed."""

import numpy as np
import tensorflow as tf

from tfcoded.data.dataset import DataError, check_count, check_images

_PURPOSE = 0x5B0F  # keeps the shuffling of a scalar seed apart from other uses of the same number


def steps_per_epoch(images_count, batch_size):
    """Number of batches (`int`) into which the pipelines divide `images_count` images."""
    check_count(batch_size, "batch_size")
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
    check_images(images, "training images")
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
    check_images(images, "test images")
    check_count(batch_size, "batch_size")
    images = _in_host_memory(images)
    starts = tf.data.Dataset.range(0, int(images.shape[0]), batch_size)
    return _finish(starts.map(lambda start: images[start : start + batch_size]))


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


test_pipeline.__test__ = False  # not a test: keeps pytest from collecting it where it is imported
