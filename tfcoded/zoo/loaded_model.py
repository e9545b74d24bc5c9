"""Trained models as Python users call them: any array of the right shape, or one line about what is expected.

A SavedModel takes tensors of the very types that it was saved for. A `LoadedModel` converts what it is given where
nothing is lost by it: float64 images to float32, int64 seeds to int32, integer images from 0 to 255 to uint8.
"""

import inspect
import os
import typing

import numpy as np
import tensorflow as tf

from tfcoded import zoo
from tfcoded.utils.errors import UserError, said
from tfcoded.zoo import folders


def load(model: str | os.PathLike[str], zoo_dir: str | os.PathLike[str] | None = None) -> "LoadedModel":
    """Loads a trained model.

    A SavedModel is a program, which can read and write files when it is loaded or called: load only what comes from
    where you would take a program from.

    Args:
      model: `str`, the name of an entry of the zoo or of a classifier such as `classifier_mnist`; or `str` or path, the
        folder of a SavedModel or of its version folders, such as `runs/mine/saved_model`. A name that is a folder too
        is that of the entry; write `./coded_8_240` for the folder.
      zoo_dir: `str` or path, the folder of the zoo's entries; by default as in `tfcoded.zoo.directory`.

    Returns:
      `LoadedModel`: the SavedModel with methods that take any NumPy array of the right shape.

    Raises:
      UserError: as `tfcoded.zoo.load`.

    Example:

    ```python
    model = tfcoded.load("coded_8_240")
    model.encode(np.zeros([5, 28, 28, 1]))["bits"]  # int32[5, 8]
    model.signatures["encode"]                      # the SavedModel's own
    ```
    """
    if folders.is_folder(model, zoo_dir):
        found = zoo.load_saved_model(folders.saved_model_folder(model))
    elif isinstance(model, str) and model.startswith(zoo.CLASSIFIER) and model in zoo.trained(zoo_dir):
        found = zoo.load_trained(model, zoo_dir)
    else:
        found = zoo.load(typing.cast(str, model), zoo_dir)
    return LoadedModel(found, os.fspath(model))


class LoadedModel:
    """A SavedModel whose methods take NumPy arrays, lists, numbers and tensors.

    It has the SavedModel's methods, which return what these return, and everything else of it, such as `signatures`.
    Images of integers are grey levels from 0 to 255; those of floats or booleans are intensities in [0, 1]. Tensors of
    a right type are handed on as they are, so that gradients pass; inside a `tf.function` their values are not looked at.
    Another shape, a value that the type cannot hold, and what the model itself refuses are a `UserError` (a
    `ValueError`) of one line.

    Args:
      saved_model: what `tf.saved_model.load` returned.
      name: `str`, what it is called in `repr`.

    Attributes:
      saved_model: the same object. Save this one to save the model again.
    """

    def __init__(self, saved_model, name):
        self.saved_model = saved_model
        self._name = name
        self._methods = {}

    def __getattr__(self, name):
        if name.startswith("__"):  # asked for by copy, pickle and others, perhaps before there is a saved_model
            raise AttributeError(name)
        value = getattr(self.saved_model, name)
        if not _takes_named_tensors(value):
            return value
        if name not in self._methods:
            self._methods[name] = _method(name, value, self.saved_model)
        return self._methods[name]

    def __dir__(self):
        return sorted({*super().__dir__(), *dir(self.saved_model)})

    def __repr__(self):
        return f"<{type(self).__name__} {self._name}>"


def _takes_named_tensors(value):
    """Whether it is a function of a SavedModel that takes tensors of one shape each by name, as tfcoded's do."""
    signatures = [each.structured_input_signature for each in getattr(value, "concrete_functions", ())]
    specs = [[*positional, *named.values()] for positional, named in signatures]
    named = all(isinstance(spec, tf.TensorSpec) and spec.name for each in specs for spec in each)
    return named and len({tuple((spec.name, str(spec.shape)) for spec in each) for each in specs}) == 1


def _method(name, function, saved_model):
    """`function`, a method of a loaded SavedModel, as one that converts its arguments."""
    options = {}  # name of an argument -> the tensors that it may be
    for concrete in function.concrete_functions:
        positional, named = concrete.structured_input_signature
        for spec in (*positional, *named.values()):
            if spec not in options.setdefault(spec.name, []):
                options[spec.name].append(spec)
    signature = inspect.Signature(
        [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in options]
    )
    usage = f"{name}{signature} takes {'; '.join(f'{each}: {_described(specs)}' for each, specs in options.items())}"

    def method(*arguments, **named):
        try:
            given = signature.bind(*arguments, **named).arguments
        except TypeError as error:
            raise UserError(f"{usage}; {error}") from None
        converted = [_converted(f"{name}: {each}", value, options[each]) for each, value in given.items()]
        try:
            return function(*converted)
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"{name}: {said(error)}") from error

    method.__name__ = method.__qualname__ = name
    method.__signature__ = signature
    method.__doc__ = f"{usage}."
    method.saved_model = saved_model  # a method keeps its variables, which `function` alone does not
    return method


def _converted(name, value, specs):
    """`value` as a tensor that is one of `specs`, which differ in their types alone."""
    expected = f"expected {_described(specs)}"
    if not tf.is_tensor(value):
        try:
            value = np.asarray(value)
            dtype = tf.as_dtype(value.dtype)
        except (TypeError, ValueError):
            raise UserError(f"{name} is no array of numbers; {expected}") from None
    else:
        dtype = tf.as_dtype(value.dtype)
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise UserError(f"{name} is no array of numbers; {expected}")
    if not specs[0].shape.is_compatible_with(value.shape):
        raise UserError(f"{name} is {_text(dtype, tf.TensorShape(value.shape))}; {expected}")
    if any(dtype == spec.dtype for spec in specs):
        return tf.convert_to_tensor(value)
    likely = [spec.dtype for spec in specs if spec.dtype.is_integer == dtype.is_integer]
    target = (likely or [spec.dtype for spec in specs])[0]
    if tf.is_tensor(value) and (dtype.is_floating and target.is_floating or not tf.executing_eagerly()):
        return tf.cast(value, target)  # a tape may watch it, or its values are not known yet
    return tf.constant(_cast(name, np.asarray(value), target, expected))


def _cast(name, array, target, expected):
    """The array in another type, if that can hold its values."""
    with np.errstate(all="ignore"):
        cast = array.astype(target.as_numpy_dtype)
        kept = np.isfinite(cast) == np.isfinite(array) if target.is_floating else cast == array
    if not np.all(kept):
        raise UserError(f"{name} has the value {array[~kept].flat[0]}, which {target.name} cannot hold; {expected}")
    return cast


def _described(specs):
    """What an argument may be, such as 'uint8 or float32 [N, 28, 28, 1]'."""
    *others, last = specs
    return "".join(f"{spec.dtype.name} or " for spec in others) + _text(last.dtype, last.shape)


def _text(dtype, shape):
    sizes = "[...]" if shape.rank is None else f"[{', '.join('N' if size is None else str(size) for size in shape)}]"
    return f"{dtype.name} {sizes}" if shape.rank != 0 else f"one {dtype.name}"
