"""The weights of an exported model, in the storage that was asked for."""

import difflib

import keras
import numpy as np
import tensorflow as tf

from tfcoded.storage import STORAGES
from tfcoded.storage.compact import BFloat16, Grouped, Int8, fewest_bits, from_stored
from tfcoded.storage.derived import Derived
from tfcoded.utils.errors import UserError

# Kernels smaller than this, and all biases, stay float32: together they are far below 1% of a model.
_SMALL = 1024

# Relative change of the products that "compensated" allows a kernel, times its share of the model's numbers: the squares
# add up, and a bit of a large kernel costs more than one of a small kernel. The posterior feels it more than images
# do. Chosen with export.storages such that all metrics of a trained coded_10_300 and uncoded_5 stay within the standard
# error of their measurement: 3e-4 leaves three bits to the largest kernel of the encoder of uncoded_5, which are too few.
_TOLERANCES = {"encoder": 2e-4, "decoder": 3e-3}


class Weights(tf.Module):
    """A copy of a Keras model's weights, from which the model's layers can be run.

    Args:
      model: a built `keras.Model`. Training it further does not change the copy.
      storage: one of `tfcoded.storage.STORAGES`: `"float32"`; `"bfloat16"`; `"int8"`, symmetric with a float32 scale per
        output channel; `"int6"`, `"int5"` or `"int4"`, with a scale per 64 numbers; `"compensated"`, so too, in the
        bits that each kernel needs and rounded such that the errors cancel. All but the first concern
        kernels of at least 1,024 numbers; they are rounded now, and computed back to float32 once per load.
      moments: for `"compensated"`: `dict` from `key` of a kernel to `tfcoded.storage.rounding.Moments`, of all large ones.

    Raises:
      ValueError: if the storage is unknown or lacks moments, or a weight is not finite (a `tfcoded.utils.errors.UserError`).

    Example:

    ```python
    weights = Weights(model, storage="int8")
    with weights.used_by(model.decoder):
        images = model.decoder(z)  # with the rounded weights
    ```
    """

    def __init__(self, model, storage="float32", moments=None):
        super().__init__(name="weights")
        if storage not in STORAGES:
            close = difflib.get_close_matches(str(storage), STORAGES, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(f"unknown storage {storage!r}; {hint}choose one of {', '.join(STORAGES)}")
        if storage == "compensated" and moments is None:
            raise UserError("storage 'compensated' is fitted to what the layers see: pass training images")
        self._storage = storage
        self._numbers = sum(variable.shape.num_elements() for variable in model.weights)
        self._stored = {
            key(variable): self._kept(variable, finite_value(variable), moments) for variable in model.weights
        }
        if len(self._stored) != len(model.weights):
            raise ValueError("two weights share a path; give the layers different names")

    @classmethod
    def of_saved_model(cls, saved_model, model):
        """The weights of a SavedModel exactly as it stores them.

        Args:
          saved_model: what `tf.saved_model.load` returns for a model exported here.
          model: a built `keras.Model` of the same networks; its own values do not matter.

        Returns:
          `Weights`.
        """
        weights = cls.__new__(cls)
        tf.Module.__init__(weights, name="weights")
        stored = saved_model._weights._stored
        weights._stored = {key(variable): _copied(variable, stored[key(variable)]) for variable in model.weights}
        return weights

    def exchange(self, values, moments=None):
        """Stores other values of some weights, in the same storage.

        Args:
          values: pairs of a `keras.Variable`, a weight of the model, and its new value, np.float32 of the same shape.
          moments: as at the beginning.
        """
        changed = {key(variable): self._kept(variable, value, moments) for variable, value in values}
        self._stored = self._stored | changed  # another one: TensorFlow saves no dictionary in which values changed

    def _kept(self, variable, value, moments):
        if self._storage == "float32" or value.ndim < 2 or value.size < _SMALL:
            return tf.Variable(value, trainable=False, dtype=tf.float32, name=variable.path)
        if self._storage == "compensated":
            path = key(variable)
            tolerance = _TOLERANCES[path.partition(".")[0]] * value.size / self._numbers
            return Derived(fewest_bits(value, moments[path], tolerance))
        return Derived(_compact(value, self._storage))

    def used_by(self, *layers):
        """A context in which the given layers compute with these weights instead of their own variables.

        Args:
          *layers: layers of the model that the weights were copied from, or of one like it.

        Returns:
          A `keras.StatelessScope`.
        """
        variables = [variable for layer in layers for variable in layer.weights]
        return keras.StatelessScope([(variable, self._read(key(variable))) for variable in variables])

    def _read(self, path):
        stored = self._stored[path]
        return stored.read() if isinstance(stored, Derived) else stored.read_value()


def key(variable):
    """The variable's path below the model, whose name may vary, a `str`; dots, as a checkpoint escapes slashes."""
    return variable.path.split("/", 1)[1].replace("/", ".")


def finite_value(variable):
    """A variable's value, `np.float32`.

    Raises:
      UserError: if it is not finite.
    """
    value = keras.ops.convert_to_numpy(variable)
    if not np.isfinite(value).all():
        raise UserError(
            f"weight {variable.path} holds numbers that are not finite: the training diverged;"
            " export an earlier checkpoint"
        )
    return value


def stored_values(saved_model):
    """The weights that a SavedModel computes with, rounded if they are stored so.

    Args:
      saved_model: what `tf.saved_model.load` returns for a model exported here.

    Returns:
      `dict` from `key` of a variable to its value, `np.float32`; `None` if something else exported the SavedModel.
    """
    stored = getattr(getattr(saved_model, "_weights", None), "_stored", None)
    if stored is None:
        return None
    values = {}
    for path, variable in stored.items():  # a loaded `Derived` has lost its class, and with it `read`
        handle = variable.handle if isinstance(variable, tf.Variable) else variable.resource_handle
        values[path] = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32).numpy()
    return values


def _copied(variable, stored):
    """What a SavedModel stores of a weight, once more."""
    if isinstance(stored, tf.Variable):
        return tf.Variable(stored.read_value(), trainable=False, name=variable.path)
    return Derived(from_stored(variable.shape, stored.stored))


def _compact(value, storage):
    if storage == "bfloat16":
        return BFloat16(value)
    return Int8(value) if storage == "int8" else Grouped(value, bits=int(storage.removeprefix("int")))
