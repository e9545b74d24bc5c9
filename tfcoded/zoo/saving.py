"""SavedModels of trained models: from a work directory or a model in memory to a version folder."""

import pathlib

import tensorflow as tf

from tfcoded.codec.coded_dvae import CodedDVAEModule
from tfcoded.codec.communication import SystemModule
from tfcoded.codec.weights import key, stored_values
from tfcoded import config as configuration
from tfcoded.zoo import identity
from tfcoded import families as kinds, models, zoo
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.utils.errors import UserError, said
from tfcoded.utils.files import for_tensorflow, temporary_folder

__all__ = [
    "CodedDVAEModule",
    "SystemModule",
    "export_saved_model",
    "load_workdir",
    "module",
    "restore_weights",
    "restored_entry",
    "restored_model",
    "save",
]

_MODULES = {"coded_dvae": CodedDVAEModule, "communication_system": SystemModule}  # by kind

_TEMPORARY = ".exporting-"


def module(model, config, storage="float32", images=None):
    """What a SavedModel of a model holds: `CodedDVAEModule` or `SystemModule`, whose arguments these are."""
    return _MODULES[kinds.of(config).name](model, config, storage, images)


def export_saved_model(model, config, out, storage="float32", images=None):
    """Writes a SavedModel with named signatures into the next free version folder, `<out>/1` at first.

    A process that loads it needs TensorFlow and nothing else. The folder appears under its name only once it
    is complete, as TensorFlow Serving, which may be watching `out`, expects; an existing version is never
    touched.

    Args:
      model: a built model of `tfcoded.models`.
      config: its configuration.
      out: `str` or path: the folder of the version folders; created if missing.
      storage: one of `export.STORAGES`; see `tfcoded.codec.weights.Weights`.
      images: training images, `[N, h, w, c]`, for the storage `"compensated"`.

    Returns:
      `pathlib.Path` of the version folder.

    Raises:
      ValueError: if the storage is unknown or lacks images, a weight is not finite, or the configuration describes
        another model.
      UserError: if the folder cannot be written.

    Example:

    ```python
    folder = export_saved_model(model, config, "exported/coded_8_240", storage="int8")
    loaded = tf.saved_model.load(str(folder))
    loaded.encode(images_uint8)["bits"]
    loaded.signatures["encode_float"](images=images_float)
    ```
    """
    return save(module(model, config, storage, images), out)


def save(saved, out):
    """Writes a SavedModel into the next free version folder, as `export_saved_model` does.

    Args:
      saved: `tf.Module` with a method `signatures`.
      out: `str` or path: the folder of the version folders; created if missing.

    Returns:
      `pathlib.Path` of the version folder.

    Raises:
      UserError: if the folder cannot be written.
    """
    out = pathlib.Path(for_tensorflow(out))
    try:
        with temporary_folder(out, _TEMPORARY) as temporary:
            new = temporary / "new"
            new.mkdir()
            tf.saved_model.save(saved, str(new), signatures=saved.signatures())
            return _publish(new, out)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot write a SavedModel into {out}: {said(error)}; choose another folder") from error


def load_workdir(workdir):
    """The model of a training run's newest checkpoint.

    Args:
      workdir: `str` or path, the `--workdir` of `python -m tfcoded.train`.

    Returns:
      `CodedDVAEModule` or `SystemModule`.

    Raises:
      UserError: if the folder is no work directory, or its checkpoint is missing or damaged.
    """
    return module(*restored_model(workdir))


def restored_model(workdir):
    """The model of a work directory and its configuration.

    Args:
      workdir: `str` or path, the `--workdir` of `python -m tfcoded.train`.

    Returns:
      The model, one of `tfcoded.models`, and its configuration.

    Raises:
      UserError: if the folder is no work directory, or its checkpoint is missing or damaged.
    """
    path = pathlib.Path(for_tensorflow(workdir))
    if not (path / "config.yaml").is_file():
        raise UserError(
            f"{workdir} is not a work directory: it has no config.yaml; expected the --workdir of"
            " python -m tfcoded.train"
        )
    config = configuration.load(path / "config.yaml")
    parts = kinds.of(config).parts(config)
    if parts:
        return models.SeparateSystem.from_parts(*(restored_model(path / name)[0] for name in parts)), config
    model = models.build(config)
    if not Checkpoints(path, model).restore():
        raise UserError(
            f"{workdir} has no complete checkpoint; python -m tfcoded.train saves one after each epoch"
        )
    return model, config


def restore_weights(model, folder):
    """Gives a model the weights of a SavedModel of the same networks, rounded if they are stored so.

    Args:
      model: a built model of `tfcoded.models`.
      folder: `str` or path, a version folder, which holds `saved_model.pb`.

    Raises:
      UserError: if the SavedModel is damaged, was not exported here, or is one of other networks.
    """
    _assign(model, zoo.load_saved_model(folder), folder)


def restored_entry(name, zoo_dir=None):
    """The model of a zoo entry and its configuration, with the weights as they are stored, rounded or not.

    Args:
      name: `str`, an entry with weights.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      The model, one of `tfcoded.models`, and its configuration.

    Raises:
      UserError: as `tfcoded.zoo.load`.
    """
    folder, loaded = zoo.saved_model_path(name, zoo_dir), zoo.load(name, zoo_dir)
    config = identity.configuration_of(loaded, folder)
    model = models.build(config)
    _assign(model, loaded, folder)
    return model, config


def _assign(model, loaded, folder):
    """As `restore_weights`, of a loaded SavedModel."""
    values = stored_values(loaded)
    if values is None:
        raise UserError(f"{folder} holds a SavedModel that tfcoded did not export; choose another")
    weights = {key(weight): weight for weight in model.weights}
    shapes = {path: tuple(value.shape) for path, value in values.items()}
    for path, weight in weights.items():
        if shapes.get(path) != tuple(weight.shape):
            there = f"has {path} of shape {shapes[path]}" if path in shapes else f"has no {path}"
            raise UserError(
                f"the SavedModel in {folder} is one of other networks: it {there}, needed is {tuple(weight.shape)}"
            )
    for path, weight in weights.items():
        weight.assign(values[path])


def _publish(new, out):
    """Renames a folder to the next free version number; another export may take that number first."""
    taken = [int(child.name) for child in out.iterdir() if child.name.isdecimal()]
    version = max(taken, default=0) + 1
    while True:
        target = out / str(version)
        try:
            if not target.exists():  # a rename would replace an empty folder
                return new.rename(target)
        except OSError:
            if not target.exists():
                raise
        version += 1
