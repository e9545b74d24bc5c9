"""Runs SavedModels through TensorFlow's C++ loader, which is TensorFlow Serving's, by way of the C API."""

import ctypes
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

INVALID_ARGUMENT = 3  # a code of TensorFlow and gRPC

_VOID = ctypes.c_void_p
_LONG = ctypes.c_int64


class _Output(ctypes.Structure):
    _fields_ = [("operation", _VOID), ("index", ctypes.c_int)]


class Refused(RuntimeError):
    """A request that was not answered: TensorFlow's message, and its code as the attribute `code`."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def _library():
    api = ctypes.CDLL(str(pathlib.Path(tf.__file__).parent / "libtensorflow_cc.so.2"))
    functions = {
        "TF_NewStatus": (_VOID, []),
        "TF_GetCode": (ctypes.c_int, [_VOID]),
        "TF_Message": (ctypes.c_char_p, [_VOID]),
        "TF_NewGraph": (_VOID, []),
        "TF_NewSessionOptions": (_VOID, []),
        "TF_LoadSessionFromSavedModel": (
            _VOID,
            [_VOID] * 2 + [ctypes.c_char_p, _VOID, ctypes.c_int] + [_VOID] * 3,
        ),
        "TF_GraphOperationByName": (_VOID, [_VOID, ctypes.c_char_p]),
        "TF_AllocateTensor": (_VOID, [ctypes.c_int, _VOID, ctypes.c_int, ctypes.c_size_t]),
        "TF_TensorData": (_VOID, [_VOID]),
        "TF_TensorType": (ctypes.c_int, [_VOID]),
        "TF_NumDims": (ctypes.c_int, [_VOID]),
        "TF_Dim": (_LONG, [_VOID, ctypes.c_int]),
        "TF_TensorByteSize": (ctypes.c_size_t, [_VOID]),
        "TF_DeleteTensor": (None, [_VOID]),
        "TF_SessionRun": (
            None,
            [_VOID] * 2 + [_VOID, _VOID, ctypes.c_int] * 2 + [_VOID, ctypes.c_int, _VOID, _VOID],
        ),
        "TF_CloseSession": (None, [_VOID, _VOID]),
        "TF_DeleteSession": (None, [_VOID, _VOID]),
    }
    for name, (result, arguments) in functions.items():
        getattr(api, name).restype, getattr(api, name).argtypes = result, arguments
    return api


class Server:
    """A SavedModel in a session of the C++ loader.

    Args:
      folder: path of the version folder.
    """

    def __init__(self, folder):
        self._api = _library()
        self._status = self._api.TF_NewStatus()
        self._graph = self._api.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = self._api.TF_NewSessionOptions()
        self._session = self._api.TF_LoadSessionFromSavedModel(
            options, None, str(folder).encode(), tags, 1, self._graph, None, self._status
        )
        self._check()
        proto = saved_model_pb2.SavedModel.FromString((pathlib.Path(folder) / "saved_model.pb").read_bytes())
        self._signatures = proto.meta_graphs[0].signature_def

    def close(self):
        self._api.TF_CloseSession(self._session, self._status)
        self._api.TF_DeleteSession(self._session, self._status)

    def predict(self, signature, **inputs):
        """Runs a signature on arrays; gives a `dict` of arrays, or raises `Refused`."""
        definition = self._signatures[signature]
        assert inputs.keys() == definition.inputs.keys()
        feeds = [self._output(definition.inputs[name].name) for name in inputs]
        values = [self._tensor(array, definition.inputs[name].dtype) for name, array in inputs.items()]
        fetches = [self._output(tensor.name) for tensor in definition.outputs.values()]
        results = (_VOID * len(fetches))()
        self._api.TF_SessionRun(
            self._session, None,
            (_Output * len(feeds))(*feeds), (_VOID * len(values))(*values), len(values),
            (_Output * len(fetches))(*fetches), results, len(fetches),
            None, 0, None, self._status,
        )  # fmt: skip
        for value in values:
            self._api.TF_DeleteTensor(value)
        self._check()
        return {name: self._array(result) for name, result in zip(definition.outputs, results, strict=True)}

    def _check(self):
        code = self._api.TF_GetCode(self._status)
        if code:
            raise Refused(code, self._api.TF_Message(self._status).decode())

    def _output(self, name):
        operation, _, index = name.partition(":")
        return _Output(self._api.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _tensor(self, array, dtype):
        array = np.array(array, tf.as_dtype(dtype).as_numpy_dtype, order="C")
        shape = (_LONG * array.ndim)(*array.shape)
        tensor = self._api.TF_AllocateTensor(dtype, shape, array.ndim, array.nbytes)
        ctypes.memmove(self._api.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor):
        shape = [self._api.TF_Dim(tensor, axis) for axis in range(self._api.TF_NumDims(tensor))]
        dtype = tf.as_dtype(self._api.TF_TensorType(tensor)).as_numpy_dtype
        size = self._api.TF_TensorByteSize(tensor)
        data = ctypes.string_at(self._api.TF_TensorData(tensor), size) if size else b""
        self._api.TF_DeleteTensor(tensor)
        return np.frombuffer(data, dtype).reshape(shape)
