"""The user's own images: arrays in a file, or a folder of pictures."""

import collections
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf

from tfcoded.data.dataset import DataError, Dataset
from tfcoded.utils.errors import said

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
_HELD_OUT = 10  # one image in so many
_PARTS = {  # names of the folders of parts
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
}
_ARRAYS = (("{}", "{}_labels"), ("{}_images", "{}_labels"), ("x_{}", "y_{}"))  # images and labels of a part


def load(path):
    """Loads a `Dataset` from a `.npy` or `.npz` file or from a folder of images.

    * `.npy`: one array of images. `.npz`: arrays `train` and `test`, or `train_images` and `test_images`, with
      `train_labels` and `test_labels` if there are any; or `x_train`, `y_train`, `x_test`, `y_test`, as in
      Keras; or a single array of images of any name. Images are `[N, H, W]` or `[N, H, W, C]`, C = 1 or 3, either
      uint8, or floating point within [0, 1], which is multiplied by 255 and rounded. Anything else is refused, because its scale
      would be a guess. Labels are integers `[N]` or `[N, 1]`.
    * folder: png, jpg, jpeg and bmp files, also in sub-folders, in the order of their paths; all of one size.
      If all of them are grey the images have one channel, otherwise three. Sub-folders called train, val or test (or
      training, valid, validation, testing) are parts; beside them there must be no other images. There are no labels.
      Hidden files and other kinds of files are skipped; a line on the standard error counts them.

    The part `test` is measured on, `val` if there is no `test`; with both, `val` is not used, which a line on the
    standard error says. With neither, every tenth image (numbers 9, 19, 29, ...; the last of fewer than ten) is held
    out.

    Args:
      path: `str` or `os.PathLike`, an existing file or folder.

    Returns:
      A `Dataset` named after the file or folder.

    Raises:
      DataError: if a file is unreadable or its contents are of another kind; the message names the file.
    """
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            return _from_folder(path)
        if path.suffix.lower() == ".npy":
            return _hold_out(path.stem, _as_images(_read_numpy(path), path))
        if path.suffix.lower() == ".npz":
            return _from_archive(path)
    except OSError as error:
        raise DataError(f"{path} could not be read: {error}") from error
    raise DataError(f"{path} is neither a .npy nor a .npz file nor a folder of images")


def _read_numpy(path):
    try:
        contents = np.load(path, allow_pickle=False)  # a pickle could run anything
        if isinstance(contents, np.ndarray):
            return contents
        with contents:
            arrays = {key: contents[key] for key in contents.files}
    except (OSError, MemoryError):
        raise
    except Exception as error:  # numpy and zipfile show damage in a dozen ways
        raise DataError(f"{path} is not a readable numpy file of plain numbers: {error}") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path}: {key} is no array; pictures are given as a folder, unpacked")
    return arrays


def _from_archive(path):
    arrays = _read_numpy(path)
    if not isinstance(arrays, dict):
        raise DataError(f"{path} holds one array although its name ends in .npz; rename it to .npy")
    return from_arrays(path.stem, arrays, path)


def from_arrays(name, arrays, source=None):
    """A `Dataset` of what an .npz file may hold, see `load`.

    Args:
      name: `str`, of the data set.
      arrays: `dict` from a name to an array, or one array of images.
      source: where they come from, for messages; `None` for the data set's name.

    Raises:
      DataError: if they are of another kind.
    """
    path = name if source is None else source
    if not isinstance(arrays, dict):
        arrays = {"images": arrays}
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    for image_key, label_key in _ARRAYS:
        keys = {part: image_key.format(part) for part in ("train", "test", "val") if image_key.format(part) in arrays}
        if "train" not in keys:
            continue
        parts, used = [], []
        for part in _measured(keys):
            key, labels = keys[part], label_key.format(part)
            parts += [
                _as_images(arrays[key], f"{path}, array {key!r}"),
                _as_labels(arrays.get(labels), f"{path}, array {labels!r}"),
            ]
            used += [key, labels]
        unused = sorted(arrays.keys() - set(used))
        if unused:
            _tell(f"{path}: not used: {', '.join(unused)}")
        return Dataset(name, *parts) if len(parts) == 4 else _hold_out(name, *parts)
    if len(arrays) == 1:
        return _hold_out(name, _as_images(next(iter(arrays.values())), path))
    raise DataError(
        f"{path} holds the arrays {', '.join(sorted(arrays)) or '(none)'}; expected 'train' and 'test', or "
        "'train_images' and 'test_images' (with 'train_labels' and 'test_labels' if any), or 'x_train' and 'x_test' "
        "(with 'y_train' and 'y_test' if any), or a single array"
    )


def _measured(parts):
    """Which of the `parts` are used: `train`, and the one that is measured on, if there is one."""
    return ["train", *[part for part in ("test", "val") if part in parts][:1]]


def _as_images(array, what):
    if array.ndim == 0:
        raise DataError(f"{what} is a single number; expected images [N, H, W] or [N, H, W, C]")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.dtype.kind == "f":
        if array.size and not (np.min(array) >= 0 and np.max(array) <= 1):  # false for NaN too
            kind = array.dtype.name
            raise DataError(f"{what} is {kind} with values outside [0, 1]; scale it or give uint8")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"{what} is {array.dtype.name}; images must be uint8, or floating point in [0, 1]")
    return array


def _as_labels(array, what):
    if array is None:
        return None
    if array.dtype.kind not in "iu":
        raise DataError(f"{what} is {array.dtype.name}; labels must be integers")
    if array.ndim == 2 and array.shape[1] == 1:  # as Keras' CIFAR-10 has them
        array = array[:, 0]
    return array.astype(np.int64)


def _hold_out(name, images, labels=None):
    if len(images) < 2:
        raise DataError(f"{name} holds {len(images)} image(s); at least 2 are needed, to train and to test")
    held = np.arange(len(images)) % _HELD_OUT == min(_HELD_OUT, len(images)) - 1
    if labels is None:
        return Dataset(name, images[~held], None, images[held], None)
    if len(labels) != len(images):
        raise DataError(f"{name} holds {len(labels)} labels of {len(images)} images; expected one for each")
    return Dataset(name, images[~held], labels[~held], images[held], labels[held])


def _from_folder(folder):
    name, paths = folder.resolve().name, _pictures(folder)
    tops = collections.defaultdict(list)  # by sub-folder
    for path in paths:
        inside = path.relative_to(folder).parts
        tops[inside[0] if len(inside) > 1 else ""].append(path)
    parts = {}
    for child in sorted(child.name for child in folder.iterdir() if child.is_dir()):
        part = _PARTS.get(child.lower())
        if part is None:
            continue
        if part in parts:
            raise DataError(f"{folder} has the folders {parts[part]} and {child}, both for the part {part!r}; keep one")
        if child not in tops:
            raise DataError(f"{folder / child} holds no images ({', '.join(_PICTURES)})")
        parts[part] = child
    if not parts:
        return _hold_out(name, _read_pictures(paths))
    named = ", ".join(parts.values())
    if "train" not in parts:
        raise DataError(f"{folder} has the part {named} but no part train; rename a folder, or name one without parts")
    others = sorted(tops.keys() - set(parts.values()))
    if others:
        listed = ", ".join(f"{len(tops[top])} in {top or 'no folder'}" for top in others)
        raise DataError(
            f"{folder} has the parts {named} and other images beside them ({listed}); expected all images in folders "
            "called train, val or test, or no folder of such a name"
        )
    used = [tops[parts[part]] for part in _measured(parts)]
    if len(parts) > 2:
        _tell(f"{folder}: the {len(tops[parts['val']])} images in {parts['val']} are not used, as there is a part test")
    if len(used) == 1:
        return _hold_out(name, _read_pictures(used[0]))
    # Read together: whether the images are grey and how large they are is one decision for both.
    images = _read_pictures(used[0] + used[1])
    return Dataset(name, images[: len(used[0])], None, images[len(used[0]) :], None)


def _pictures(folder):
    """The paths of the pictures in a folder, sorted; says how many files of other kinds there are."""
    found, skipped = [], collections.Counter()
    for path in _files(folder):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):  # such as ._000.png of another system
            skipped["hidden"] += 1
        elif path.suffix.lower() in _PICTURES:
            found.append(path)
        else:
            skipped[path.suffix.lower() or "without an ending"] += 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
    if not found:
        there = f"; there are only other files: {listed}" if skipped else ""
        raise DataError(f"{folder} holds no images ({', '.join(_PICTURES)}){there}")
    if skipped:
        _tell(f"{folder}: {len(found)} images; skipped {skipped.total()} other files: {listed}")
    return sorted(found)


def _files(folder):
    """The paths of all files below a folder, through links to folders too."""

    def refuse(error):
        raise error

    for where, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        here = os.path.realpath(where)
        # A link to a folder that it lies in has no end.
        folders[:] = [name for name in folders if not f"{here}/".startswith(f"{os.path.realpath(f'{where}/{name}')}/")]
        yield from (pathlib.Path(where, name) for name in names)


def _read_pictures(paths):
    pictures = [_read_picture(path) for path in paths]
    channels = max(picture.shape[-1] for picture in pictures)
    size = pictures[0].shape[:2]
    images = np.empty((len(paths), *size, channels), np.uint8)
    for image, picture, path in zip(images, pictures, paths):
        if picture.shape[:2] != size:
            raise DataError(
                f"{path} is {picture.shape[0]}x{picture.shape[1]} (height x width) but {paths[0]} is "
                f"{size[0]}x{size[1]}; all images must have one size"
            )
        image[...] = picture  # grey pictures among coloured ones spread over the three channels
    return images


def _read_picture(path):
    try:
        picture = tf.io.decode_image(path.read_bytes(), expand_animations=False).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        raise DataError(f"{path} is not a readable image: {said(error)}") from error
    if picture.shape[-1] not in (1, 3):
        channels = picture.shape[-1]
        raise DataError(f"{path} has {channels} channels; expected 1 (grey) or 3 (RGB), no transparency")
    return picture


def _tell(message):
    print(message, file=sys.stderr, flush=True)
