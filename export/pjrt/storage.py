"""Trained weights as files: rounded if wanted, and in parts where large files cannot travel."""

import json
import pathlib
import re

import numpy as np

from tfcoded.utils import npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

STORAGES = ("float32", "bfloat16", "int8")  # for travelling; a SavedModel may round further

# Kernels smaller than this, and all biases, stay float32, as in tfcoded.codec.weights.
_SMALL = 1024


def rounded(weights, storage):
    """Weights in the storage of a SavedModel.

    Args:
      weights: `dict` from name to `np.float32` array, finite.
      storage: `"float32"`, `"bfloat16"` (rounded to nearest, ties to even) or `"int8"`: with a scale per output
        channel, the last axis; the same numbers as `tfcoded.storage.compact.Int8` makes.

    Returns:
      `dict` of arrays, from which `restored` makes the weights again.
    """
    arrays = {}
    for name, value in weights.items():
        if storage == "float32" or value.ndim < 2 or value.size < _SMALL:
            arrays[f"float32/{name}"] = value
        elif storage == "bfloat16":
            words = value.view(np.uint32)
            arrays[f"bfloat16/{name}"] = ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype(np.uint16)
        else:
            largest = np.abs(value).max(axis=tuple(range(value.ndim - 1)))
            scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
            arrays[f"int8/{name}"] = np.clip(np.rint(value / scale), -127, 127).astype(np.int8)
            arrays[f"scale/{name}"] = scale
    return arrays


def restored(arrays):
    """The weights in `arrays`, a `dict` from name to `np.float32` array."""
    weights = {}
    for key, value in arrays.items():
        kind, _, name = key.partition("/")
        if kind == "float32":
            weights[name] = value
        elif kind == "bfloat16":
            weights[name] = (value.astype(np.uint32) << 16).view(np.float32)
        elif kind == "int8":
            weights[name] = value.astype(np.float32) * arrays[f"scale/{name}"]
    return weights


def write_result(folder, name, weights, storage, facts, part_bytes):
    """Writes weights and facts in files `<name>.epoch200.000-of-002.part`, ..., in place of those of other epochs.

    Args:
      folder: `pathlib.Path`.
      name: `str`, of the model.
      weights: see `rounded`.
      storage: see `rounded`.
      facts: `dict` that JSON can hold, with `epochs`.
      part_bytes: `int`, largest size of a file.

    Returns:
      list of `pathlib.Path`.
    """
    arrays = rounded(weights, storage) | {"facts": _to_array(facts | {"storage": storage})}
    content = npz.packed(arrays, compressed=storage == "int8")  # the bits of trained floats hardly compress
    old = _parts(folder, name)
    count = -(-len(content) // part_bytes)
    files = []
    for number in range(count):
        file = folder / f"{name}.epoch{facts['epochs']}.{number:03}-of-{count:03}.part"
        write_atomically(file, content[number * part_bytes : (number + 1) * part_bytes])
        files.append(file)
    for part in old.values():
        if part not in files:
            part.unlink()
    return files


def written_result(folder, name):
    """Epochs and storage of the result in `folder`, or `None` if it is damaged, or not there with all its parts."""
    try:
        _, facts = read_result(folder, name)
    except UserError:
        return None
    return facts["epochs"], facts["storage"]


def read_result(folder, name):
    """What `write_result` wrote: arrays and facts; of the last epoch, if there are results of several.

    Raises:
      UserError: if parts are missing or damaged.
    """
    parts = _parts(folder, name)
    if not parts:
        raise UserError(f"{folder} holds no result of {name}; expected {name}.epochNNN.000-of-00N.part and so on")
    epochs, count, _ = max(parts)
    missing = [number for number in range(count) if (epochs, count, number) not in parts]
    if missing:
        raise UserError(f"{folder} lacks {name}.epoch{epochs}.{missing[0]:03}-of-{count:03}.part")
    content = b"".join(parts[epochs, count, number].read_bytes() for number in range(count))
    return _read(content, f"{name} in {folder}")


def _parts(folder, name):
    """(epochs, number of parts, part) -> file."""
    found = {}
    for file in pathlib.Path(folder).glob(f"{name}.epoch*.part"):
        match = re.fullmatch(re.escape(name) + r"\.epoch(\d+)\.(\d+)-of-(\d+)\.part", file.name)
        if match:
            found[int(match[1]), int(match[3]), int(match[2])] = file
    return found


def write_checkpoint(file, arrays, facts):
    """Writes `arrays` and `facts` into one npz file."""
    write_atomically(file, npz.packed(arrays | {"facts": _to_array(facts)}))


def read_checkpoint(file):
    """What `write_checkpoint` wrote: arrays and facts.

    Raises:
      UserError: if it is damaged.
    """
    return _read(file, file)


def _read(file, what):
    try:
        arrays = npz.read(file)
        return arrays, json.loads(arrays.pop("facts").tobytes())
    except (ValueError, KeyError) as error:
        raise UserError(f"{what} is damaged: {error}") from error


def _to_array(facts):
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)
