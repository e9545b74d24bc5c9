"""Arrays in one file: NumPy's .npz, written to memory, and read such that damage shows as one kind of error."""

import io
import pathlib

import numpy as np


def packed(arrays, compressed=False):
    """The content of an .npz file.

    Args:
      arrays: `dict` from name to array.
      compressed: `bool`.

    Returns:
      `bytes`.
    """
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def read(file):
    """All arrays of an .npz file.

    Args:
      file: its path, or its content as `bytes`.

    Returns:
      `dict` from name to array.

    Raises:
      OSError: if it cannot be read.
      ValueError: if it is damaged, or no such file.
    """
    content = file if isinstance(file, bytes) else pathlib.Path(file).read_bytes()
    if not content.startswith(b"PK"):
        raise ValueError("no .npz file")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except MemoryError:
        raise
    except Exception as error:  # numpy and zipfile show damage in a dozen ways
        raise ValueError(str(error) or type(error).__name__) from error
