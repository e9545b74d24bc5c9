"""The named data sets: prepared once by tensorflow-datasets, which checks the archives; read into memory."""

import contextlib
import hashlib
import io
import pathlib
import sys
import tarfile
import tempfile
import time
import zipfile

import numpy as np
import requests
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging
from google.protobuf import json_format
from tensorflow_datasets.core.download import downloader
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.download.extractor import ExtractError

from tfcoded.data.dataset import DataError, Dataset
from tfcoded.utils.errors import said
from tfcoded.utils.files import expanded, for_tensorflow, require_readable

_CLONE = pathlib.Path(__file__).resolve().parents[2]
# setup.py tells a clone from site-packages, where a folder `data` would be somebody else's.
_EMBEDDED = _CLONE / "data" if (_CLONE / "setup.py").is_file() else None


def load(name, image_shape, stored, make, data_dir, duration, advice):
    """Loads a named data set, preparing it first if that has not been done in `data_dir`.

    The original archives, under their plain names, are taken from the first of these folders which has them:
    `data/<stored>` of the repository, `<data_dir>/downloads/manual/<stored>`, `<data_dir>/<stored>`. Otherwise
    tensorflow-datasets uses its own cache of downloads or downloads them. It verifies the checksums of what
    it finds there or downloads. A builder of which tensorflow-datasets knows no archives has a method `find` that
    looks for them in a folder, and a text `WANTED` that says what to put there.

    Args:
      name: `str`, of `tfcoded.data.DATASETS`.
      image_shape: `(height, width, channels)`.
      stored, make, duration, advice: `builder` and the others of `tfcoded.data.registry.register_prepared`.
      data_dir: `str`, `os.PathLike` or `None`, see `tfcoded.data.load`.

    Returns:
      A `tfcoded.data.Dataset` with labels (CelebA: without), in the order in which tensorflow-datasets stored the
      images.

    Raises:
      DataError: see `tfcoded.data.load`.
    """
    try:
        with _modest_tfds():
            builder = _builder(stored, data_dir)
            if not builder.is_prepared():
                _prepare(builder, duration)
                builder = _builder(stored, data_dir)  # the first may know nothing of what another process made
            shape = builder.info.features["image"].shape if make is None else image_shape
            train, test = (_read(builder, part, make or tf.identity, shape) for part in ("train", "test"))
    except DataError as error:
        if not advice:
            raise
        raise DataError(f"{error}. {advice}") from error
    except (OSError, tf.errors.OpError) as error:
        folder = data_dir or tfds.core.constants.DATA_DIR
        raise DataError(
            f"{name}: the data folder {folder} cannot be used: {_one_line(error)}. It must be writable and "
            "have room for the data, or give another one (data_dir)"
        ) from error
    return Dataset(name, *train, *test)


def _builder(stored, data_dir):
    folder = for_tensorflow(data_dir or tfds.core.constants.DATA_DIR)
    data_dir = None if data_dir is None else folder
    if callable(stored):
        return stored()(data_dir=data_dir)
    try:
        return tfds.builder(stored, data_dir=data_dir)
    except (json_format.ParseError, AssertionError, RuntimeError, ValueError) as error:  # of a dataset_info.json
        folder = pathlib.Path(folder, stored, str(tfds.builder_cls(stored).VERSION))
        if not folder.is_dir():
            raise
        raise _damaged(stored, folder, "its description cannot be read") from error


def _prepare(builder, duration):
    folder = pathlib.Path(builder.data_dir)
    if folder.exists():
        raise _damaged(builder.name, folder, "its description is missing or incomplete")
    root = pathlib.Path(expanded(builder.data_dir_root))
    downloads = root / "downloads"
    places = [downloads / "manual" / builder.name, root / builder.name]
    if _EMBEDDED:
        places.insert(0, _EMBEDDED / builder.name)
    manual = _folder_with_archives(builder, places)
    downloads.mkdir(parents=True, exist_ok=True)
    _tell(f"{builder.name}: preparing the data in {folder}; this happens once and takes {duration}")
    start = time.monotonic()
    # A folder of its own for unpacking: in the shared one tfds, which goes by an archive's name alone, would
    # take the unpacked MNIST for Fashion-MNIST.
    unpacking = tempfile.TemporaryDirectory(dir=downloads, prefix="unpacked_", ignore_cleanup_errors=True)
    with unpacking as unpacked:
        config = tfds.download.DownloadConfig(manual_dir=manual, extract_dir=unpacked, try_download_gcs=False)
        try:
            builder.download_and_prepare(download_config=config)
        except Exception as error:
            if _prepared_meanwhile(builder):  # by another worker on the same file system
                return
            _explain(builder, manual, places, error)
            raise
    _tell(f"{builder.name}: prepared in {time.monotonic() - start:.0f} s")


def _folder_with_archives(builder, places):
    if hasattr(builder, "find"):
        found = [place for place in places if builder.find(place)]
        if not found:
            raise DataError(f"{builder.name}: put {builder.WANTED} into {_either(places)}")
        return found[0]
    names = [info.filename for info in builder.url_infos.values()]
    # The folder that has most of them; max keeps the first among equals. tfds downloads what is missing.
    return max(places, key=lambda place: sum((place / name).exists() for name in names))


def _prepared_meanwhile(builder):
    try:
        return builder.is_prepared()
    except OSError:
        return False


def _explain(builder, manual, places, error):
    """Raises the `DataError` for a failed preparation, or returns if a user cannot mend such an `error`."""
    infos = builder.url_infos or {}
    for url, info in infos.items():
        path = manual / info.filename
        if path.exists() and (path.stat().st_size != info.size or _sha256(path) != info.checksum):
            raise DataError(
                f"{builder.name}: {path} is damaged or not the original: {path.stat().st_size} bytes, sha256 "
                f"{_sha256(path)}; expected {int(info.size)} bytes, sha256 {info.checksum}; replace it by "
                f"{url}"
            ) from error
    if isinstance(error, (requests.exceptions.RequestException, tfds.download.DownloadError)):
        missing = {info.filename: url for url, info in infos.items() if not (manual / info.filename).exists()}
        place = _either([manual] if len(missing) < len(infos) else places)
        raise DataError(
            f"{builder.name}: the download failed ({type(error).__name__}). Try again with a network, or put "
            f"the original {', '.join(missing)} into {place}; source: {' and '.join(missing.values())}"
        ) from error
    if isinstance(error, NonMatchingChecksumError):
        raise DataError(
            f"{builder.name}: a download is not the original file; try again. {_one_line(error)}"
        ) from error
    # tarfile.ReadError and the like are no OSError, but `ExtractError` hides one: a full disk.
    if isinstance(error, (ExtractError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile)):
        raise DataError(f"{builder.name}: the data could not be prepared: {_one_line(error)}") from error


def _read(builder, split, make, made_shape):
    """`(images, labels)` of one split, the images `made_shape`, as `make` makes them; labels `None` without any.

    `builder.as_dataset` handles each example by itself, in several dataset operations. Parsing the records by
    the batch and decoding in one loop halves the time.
    """
    features, info = builder.info.features, builder.info.splits[split]
    shape, labelled = features["image"].shape, "label" in features
    specification = {"image": tf.io.FixedLenFeature([], tf.string)}
    if labelled:
        specification["label"] = tf.io.FixedLenFeature([], tf.int64)

    def decoded(image):
        image = tf.io.decode_image(image, channels=shape[-1], expand_animations=False)
        return make(tf.ensure_shape(image, shape))

    def decode(records):
        examples = tf.io.parse_example(records, specification)
        signature = tf.TensorSpec(made_shape, tf.uint8)
        images = tf.map_fn(decoded, examples["image"], fn_output_signature=signature)
        return images, examples["label"] if labelled else tf.zeros(tf.shape(records), tf.int64)

    require_readable(info.filepaths)
    count = info.num_examples
    images, labels = np.empty((count, *made_shape), np.uint8), np.empty(count, np.int64)
    records = tf.data.TFRecordDataset([str(path) for path in info.filepaths], buffer_size=8 << 20)
    batches = records.batch(500).map(decode, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1)
    done = 0
    try:
        for some_images, some_labels in batches.as_numpy_iterator():
            images[done : done + len(some_images)] = some_images
            labels[done : done + len(some_labels)] = some_labels
            done += len(some_images)
    except (tf.errors.OpError, ValueError) as error:
        raise _damaged(builder.name, builder.data_dir, said(error)) from error
    if done != count:
        raise _damaged(builder.name, builder.data_dir, f"{done} images instead of {count} in the part {split!r}")
    return images, labels if labelled else None


def _damaged(name, folder, reason):
    return DataError(f"{name}: the prepared data in {folder} is damaged ({reason}); delete that folder and run again")


@contextlib.contextmanager
def _modest_tfds():
    """Keeps tfds from talking (log, prints, progress bars off a terminal) and from retrying for minutes."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    retries = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = 5  # its own 10 keep a user without network waiting for 200 s
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        downloader.MAX_RETRIES = retries
        tfds.enable_progress_bar()
        logging.set_verbosity(verbosity)


def _tell(message):
    print(message, file=sys.stderr, flush=True)


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _either(places):
    return " or ".join(str(place) for place in places)


def _one_line(error):
    return " ".join(str(error).split())
