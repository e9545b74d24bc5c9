"""Images in memory as uint8, and the input pipelines of training and testing.

```python
dataset = data.load("fashion_mnist")                 # or "images/", "scans.npz", ...
batches = data.training_pipeline(dataset.train_images, batch_size=128, seed=1, epochs=3)
```
"""

import difflib
import hashlib
import pathlib

import numpy as np

from tfcoded.data.dataset import DataError, Dataset
from tfcoded.data.registry import DATASETS
from tfcoded.utils.files import expanded


def load(name_or_path, data_dir=None):
    """Loads a data set by name, or the user's own images by path.

    Args:
      name_or_path: a name of `DATASETS`; or the path of a `.npy` or `.npz` file or of a folder of images, see
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
    from tfcoded.data import files

    known = DATASETS.get(name)
    if known is None:
        return files.load(expanded(name))
    found = known.load(data_dir)
    if not isinstance(found, Dataset):
        found = files.from_arrays(name, found)
    if found.image_shape != known.image_shape:
        raise DataError(
            f"{name} was registered with images of the shape {list(known.image_shape)}, but its function returned images"
            f" of {list(found.image_shape)}"
        )
    return found


def require_known(name):
    """Raises `DataError` unless `name` is one of `DATASETS` or an existing path; reads no images."""
    if not name:  # as a path, it would be the current folder
        raise DataError(f"the name of the data set is empty; expected one of {', '.join(_names())}, or a path")
    if name in DATASETS or pathlib.Path(expanded(name)).exists():
        return
    close = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    raise DataError(
        f"unknown data set {name!r}, neither a known name nor an existing path; "
        + (f"did you mean {close[0]!r}? " if close else "")
        + f"expected one of {', '.join(_names())}, a .npy or .npz file or a folder of images (one of a module of your own needs --plugin=MODULE)"
    )


def _names():
    """The names of `DATASETS`, those of small images first and what is drawn last."""
    return sorted(DATASETS, key=lambda name: (DATASETS[name].drawn, DATASETS[name].image_shape, name))


def digest(array):
    """SHA-256 of an array of images or labels, by which exchanged ones are noticed, a `str` of hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
