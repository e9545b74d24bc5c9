"""What PyTorch saved, read without PyTorch: the pickle in a zip archive and the arrays beside it."""

import collections
import io
import math
import pickle

import numpy as np

_STORAGES = {("torch", "FloatStorage"): "<f4", ("torch", "LongStorage"): "<i8"}


class Module:
    """Stands for every class of a TorchScript archive; only what its objects hold is wanted."""

    def __setstate__(self, state):
        vars(self).update(state)


def read(archive):
    """The object that `torch.save` or `torch.jit.save` wrote, since PyTorch 1.6.

    A pickle can run anything. This knows the few names that weights need and refuses any other.

    Args:
      archive: an open `zipfile.ZipFile`.

    Returns:
      The object, with arrays in place of tensors and `Module`s in place of objects of TorchScript's classes.

    Raises:
      Exception: of many kinds, if the archive is damaged or holds anything but such weights: float32, counters int64.
    """
    (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    folder = pickled.removesuffix("data.pkl") + "data/"

    def tensor(storage, offset, shape, strides, *_):
        dtype, key = storage
        if offset or strides != tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape))):
            raise ValueError("a tensor is not stored as one block")
        return np.frombuffer(archive.read(folder + key), dtype).reshape(shape)

    return _Unpickler(io.BytesIO(archive.read(pickled)), tensor).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, tensor):
        super().__init__(file)
        self._known = {
            ("torch._utils", "_rebuild_tensor_v2"): tensor,
            **_STORAGES,
            ("torch.jit._pickle", "build_intlist"): tuple,
            ("collections", "OrderedDict"): collections.OrderedDict,
        }

    def persistent_load(self, pid):
        kind, dtype, key, *_ = pid
        if kind != "storage" or dtype not in _STORAGES.values():
            raise pickle.UnpicklingError(f"unexpected {kind} of {dtype}")
        return dtype, key

    def find_class(self, module, name):
        if module.startswith("__torch__"):
            return Module
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"unexpected {module}.{name}")
        return self._known[module, name]
