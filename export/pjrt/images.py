"""Images for training programs: from the idx archives of the MNIST family, or from files of NumPy."""

import gzip
import hashlib
import pathlib
import zipfile
import zlib

import numpy as np

from tfcoded.utils.errors import UserError

# What files of images that are missing or damaged raise.
DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, zlib.error, zipfile.BadZipFile)

# In the folder of a data set of the MNIST family.
ARCHIVES = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}


def load(facts, part, root, programs):
    """The images of a data set, checked against the manifest.

    Args:
      facts: `dict`, `images` in the manifest.
      part: `"train"` or `"test"`.
      root: folder of data sets. In `<root>/<data set>` are either the two idx archives of images, or files `*.npz`
        with arrays `train` and `test`, which are put together in the order of the files' names.
      programs: the folder of the manifest.

    Returns:
      `np.uint8 [N, h, w, c]`, in the order of the training; `[N, 0]` where nothing is sent but their number.

    Raises:
      UserError: if files are missing or damaged, or hold other images.
    """
    folder = pathlib.Path(root) / facts["dataset"]
    if 0 in facts["shape"]:  # draws, which carry nothing: only their number counts
        return np.zeros([facts[part]["count"], *facts["shape"]], np.uint8)
    if facts["order"] is None and has_archives(folder) and not any(folder.glob("*.npz")):
        raise UserError(
            f"the programs in {programs} do not know the places of their images in the archives in {folder}; write "
            "them again with --archives=FOLDER --overwrite of python -m export.training_program"
        )
    try:
        if facts["order"] is not None and has_archives(folder):
            with np.load(pathlib.Path(programs) / facts["order"]) as places:
                images = read_archive(folder, part)[places[part]]
        else:
            images = _from_numpy(folder, part)
    except DAMAGE as error:
        raise UserError(
            f"cannot read the images of {facts['dataset']} in {folder} ({error!r}); --images names the data sets' "
            "folder"
        ) from error
    count, expected = facts[part]["count"], facts[part]["sha256"]
    images = np.ascontiguousarray(images[:count])
    if len(images) < count or hashlib.sha256(images).hexdigest() != expected:
        raise UserError(
            f"{folder} holds other images, or in another order, than the {count} with which the programs in {programs} "
            f"train ({part}); write them with --images_mb and --overwrite of python -m export.training_program"
        )
    return images


def has_archives(folder):
    """Whether the two archives of images are in `folder`, a path."""
    return all((pathlib.Path(folder) / name).is_file() for name in ARCHIVES.values())


def read_archive(folder, part):
    """The images of an idx archive as `np.uint8 [N, h, w, 1]`, in its own order.

    Raises:
      one of `DAMAGE`: if it is missing or damaged.
    """
    with gzip.open(pathlib.Path(folder) / ARCHIVES[part]) as file:
        content = file.read()
    magic, count, height, width = np.frombuffer(content, ">i4", 4).tolist()
    if magic != 0x803:  # unsigned bytes in three dimensions
        raise ValueError(f"{ARCHIVES[part]} is no idx file of images")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width, 1)


def _from_numpy(folder, part):
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            if part in arrays:
                found.append(arrays[part])
    if not found:
        raise FileNotFoundError(f"neither {' and '.join(ARCHIVES.values())} nor .npz files with an array {part!r}")
    return np.concatenate(found)
