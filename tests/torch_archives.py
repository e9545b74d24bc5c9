"""Files as PyTorch writes them, without PyTorch: a pickle whose tensors name arrays beside it in a zip archive."""

import pickle
import sys
import types
import zipfile

import numpy as np


def write(path, contents, monkeypatch, strides=None):
    """Writes what `torch.save` or `torch.jit.save` would.

    Args:
      path: of the file.
      contents: function from the class of TorchScript's objects to the object to pickle, with arrays for tensors.
      monkeypatch: pytest's; PyTorch's names are importable while it lasts, by which they can be pickled.
      strides: what tensors say of their layout; by default the arrays'.
    """
    torch, utils, classes = (types.ModuleType(name) for name in ("torch", "torch._utils", "__torch__"))

    class FloatStorage:
        pass

    class LongStorage:
        pass

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("only its name is pickled")

    class Module:
        pass

    for module, thing in ((torch, FloatStorage), (torch, LongStorage), (utils, _rebuild_tensor_v2), (classes, Module)):
        thing.__module__, thing.__qualname__ = module.__name__, thing.__name__
        setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    arrays = []

    class Storage:
        def __init__(self, array):
            arrays.append(array)
            kind = {"f": FloatStorage, "i": LongStorage}[array.dtype.kind]
            self.identity = ("storage", kind, str(len(arrays) - 1), "cpu", array.size)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.identity if isinstance(obj, Storage) else None

        def reducer_override(self, obj):
            if not isinstance(obj, np.ndarray):
                return NotImplemented
            items = tuple(stride // obj.itemsize for stride in obj.strides)
            return _rebuild_tensor_v2, (Storage(obj), 0, obj.shape, strides or items, False, {})

    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("out/data.pkl", "w") as file:
            Pickler(file, protocol=2).dump(contents(Module))
        for index, array in enumerate(arrays):
            archive.writestr(f"out/data/{index}", array.tobytes())
