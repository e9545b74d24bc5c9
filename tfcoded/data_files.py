"""The user's own images: arrays in a file, or a folder of pictures."""

import pathlib

import numpy as np
import tensorflow as tf

from tfcoded.data import DataError, Dataset
from tfcoded.errors import said

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
_HELD_OUT = 10  # one image in so many


def load(path):
    """Loads a `Dataset` from a `.npy` or `.npz` file or from a folder of images.

    * `.npy`: one array of images. `.npz`: arrays `train` and `test`, or `train_images` and `test_images`, and
      optionally `train_labels` and `test_labels`; or a single array of images of any name.
      Images are `[N, H, W]` or `[N, H, W, C]`, C = 1 or 3, either uint8, or floating point within [0, 1],
      which is multiplied by 255 and rounded. Anything else is refused, because its scale would be a guess.
    * folder: png, jpg, jpeg and bmp files, also in sub-folders, in the order of their paths; all of one size.
      If all of them are grey the images have one channel, otherwise three. Folders `train` and `test`, if
      both exist, are the two parts. There are no labels.

    Where there is no test part, every tenth image (numbers 9, 19, 29, ...; the last of fewer than ten) is
    held out as one.

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
    for train, test in (("train", "test"), ("train_images", "test_images")):
        if train in arrays and test in arrays:
            return Dataset(
                path.stem,
                _as_images(arrays[train], f"{path}, array {train!r}"),
                _as_labels(arrays.get("train_labels"), f"{path}, array 'train_labels'"),
                _as_images(arrays[test], f"{path}, array {test!r}"),
                _as_labels(arrays.get("test_labels"), f"{path}, array 'test_labels'"),
            )
    if len(arrays) == 1:
        return _hold_out(path.stem, _as_images(next(iter(arrays.values())), path))
    raise DataError(
        f"{path} holds the arrays {', '.join(sorted(arrays)) or '(none)'}; expected 'train' and 'test', or "
        "'train_images' and 'test_images' (with 'train_labels' and 'test_labels' if any), or a single array"
    )


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
    return array.astype(np.int64)


def _hold_out(name, images):
    if len(images) < 2:
        raise DataError(f"{name} holds {len(images)} image(s); at least 2 are needed, to train and to test")
    held = np.arange(len(images)) % _HELD_OUT == min(_HELD_OUT, len(images)) - 1
    return Dataset(name, images[~held], None, images[held], None)


def _from_folder(folder):
    train, test = folder / "train", folder / "test"
    if train.is_dir() and test.is_dir():
        paths = [_pictures(train), _pictures(test)]
        # Read together: whether the images are grey and how large they are is one decision for both.
        images = _read_pictures(paths[0] + paths[1])
        return Dataset(folder.name, images[: len(paths[0])], None, images[len(paths[0]) :], None)
    return _hold_out(folder.resolve().name, _read_pictures(_pictures(folder)))


def _pictures(folder):
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    if not found:
        raise DataError(f"{folder} holds no images ({', '.join(_PICTURES)})")
    return found


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
