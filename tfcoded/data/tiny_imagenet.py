"""Tiny ImageNet as a tensorflow-datasets builder, from the folder or archive that the user provides."""

import pathlib
import tarfile
import zipfile

import tensorflow as tf
import tensorflow_datasets as tfds

from tfcoded.utils.errors import said

_ROOT = "tiny-imagenet-200"
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_SIDE = 64


class TinyImagenet(tfds.core.GeneratorBasedBuilder):
    """200 classes of 64x64 RGB images: 100,000 to train; the 10,000 of its validation part are `test`.

    (The archive's own test part has no labels and is not read.) Looks in the manual folder for
    `tiny-imagenet-200/` or `tiny-imagenet-200` with `.zip`, `.tar`, `.tar.gz` or `.tgz`. Labels number the
    WordNet identifiers of `wnids.txt` in alphabetical order. Grey JPEGs, of which there are some, become RGB.
    How many images and classes there are is taken from what is found, but it must be consistent: each class
    of `wnids.txt` has training images, and each line of `val_annotations.txt` its image.

    Raises (when preparing):
      FileNotFoundError: neither folder nor archive is there.
      ValueError: the contents are incomplete or an image is unreadable; the message names it.

    Example:

    ```python
    builder = TinyImagenet(data_dir="~/tensorflow_datasets")
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir="~/Downloads"))
    ```

    #### References
    Le and Yang, "Tiny ImageNet Visual Recognition Challenge", CS 231N, Stanford, 2015.
    """

    name = "tiny_imagenet"
    VERSION = tfds.core.Version("1.0.0")
    WANTED = f"{_ROOT}.zip (http://cs231n.stanford.edu/{_ROOT}.zip) or the folder {_ROOT}"
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Put {WANTED} there."

    @staticmethod
    def find(folder):
        """The path of the data set's folder or archive in `folder` (`os.PathLike`), or `None`."""
        folder = pathlib.Path(folder)
        candidates = [folder / _ROOT, *(folder / (_ROOT + suffix) for suffix in _ARCHIVES)]
        return next((path for path in candidates if path.exists()), None)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="64x64 RGB images of 200 ImageNet classes; the validation part is 'test'.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(_SIDE, _SIDE, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="http://cs231n.stanford.edu/",
            citation="Ya Le, Xuan Yang: Tiny ImageNet Visual Recognition Challenge. CS 231N, Stanford, 2015.",
        )

    def _split_generators(self, dl_manager):
        source = self.find(dl_manager.manual_dir)
        if source is None:
            raise FileNotFoundError(f"no {_ROOT} in {dl_manager.manual_dir}")
        texts = {}
        for path, read in _members(source):
            if path in ("wnids.txt", "val/val_annotations.txt"):
                texts[path] = read().decode()
            if len(texts) == 2:
                break
        else:
            raise ValueError(f"{source} lacks {_ROOT}/wnids.txt or {_ROOT}/val/val_annotations.txt")
        classes = sorted(texts["wnids.txt"].split())
        rows = [line.split("\t") for line in texts["val/val_annotations.txt"].splitlines() if line.strip()]
        if not rows or any(len(row) < 2 or row[1] not in classes for row in rows):
            raise ValueError(f"{source}: a line of val/val_annotations.txt names no class of wnids.txt")
        self.info.features["label"].names = classes
        return {
            "train": self._generate_examples(source, _train_label, set(classes), {}),
            "test": self._generate_examples(source, _test_label, set(), {row[0]: row[1] for row in rows}),
        }

    def _generate_examples(self, source, label_of, classes, labels):
        """Yields `(path, example)`; `classes` must all occur, and every key of `labels`."""
        missing = set(classes) | set(labels)
        for path, read in _members(source):
            found = label_of(path, labels)
            if found is None:
                continue
            label, mark = found
            missing.discard(mark)
            yield path, {"image": _checked(read(), f"{source}: {path}"), "label": label}
        if missing:
            raise ValueError(
                f"{source} is incomplete: {len(missing)} classes or images missing, for one {min(missing)}"
            )


def _train_label(path, labels):
    del labels
    parts = path.split("/")  # train/n01443537/images/n01443537_0.JPEG
    is_image = len(parts) == 4 and parts[0] == "train" and parts[2] == "images" and parts[3].endswith(".JPEG")
    return (parts[1], parts[1]) if is_image else None


def _test_label(path, labels):
    parts = path.split("/")  # val/images/val_0.JPEG
    is_image = len(parts) == 3 and parts[:2] == ["val", "images"] and parts[2] in labels
    return (labels[parts[2]], parts[2]) if is_image else None


def _checked(jpeg, what):
    """`jpeg` (`bytes`), after making sure that it decodes to 64x64; stored as it is."""
    try:
        shape = tf.io.decode_jpeg(jpeg, channels=3).shape
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{what} is not a readable JPEG: {said(error)}") from error
    if shape != (_SIDE, _SIDE, 3):
        raise ValueError(f"{what} is {shape[0]}x{shape[1]}, expected {_SIDE}x{_SIDE}")
    return jpeg


def _members(source):
    """Yields `(path below tiny-imagenet-200, function that reads its bytes)`; read before going on."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield path.relative_to(source).as_posix(), path.read_bytes
    elif source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            for entry in archive.namelist():
                yield entry.removeprefix(_ROOT + "/"), lambda entry=entry: archive.read(entry)
    else:
        with tarfile.open(source) as archive:
            for entry in archive:
                if entry.isfile():
                    name = entry.name.removeprefix("./").removeprefix(_ROOT + "/")
                    yield name, lambda entry=entry: archive.extractfile(entry).read()
