"""Trained models from a work directory or a SavedModel."""

import pathlib

from tfcoded import config as configuration, models, zoo
from tfcoded.codec.weights import key, stored_values
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow
from tfcoded.zoo import folders, identity
from tfcoded.zoo.saving import module


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
    parts = config.parts
    if parts:
        return models.SeparateSystem.from_parts(*(restored_model(path / name)[0] for name in parts)), config
    model = models.build(config)
    if not Checkpoints(path, model).restore():
        raise UserError(f"{workdir} has no complete checkpoint; python -m tfcoded.train saves one after each epoch")
    return model, config


def restored(preset, zoo_dir=None):
    """A trained model, to be trained further, and its configuration.

    Args:
      preset: `str`, an entry with weights; or `str` or path, the folder of a SavedModel or of its version folders, or
        the `--workdir` of a training, whose newest checkpoint is read. A name that is a folder too is that of the entry.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      The model, one of `tfcoded.models`, and its configuration.

    Raises:
      UserError: if there is no such entry (with the nearest name) or folder, it has no weights, or they are damaged.
    """
    if not folders.is_folder(preset, zoo_dir):
        return restored_entry(preset, zoo_dir)
    folder = folders.find_saved_model(preset)
    if folder is None and not pathlib.Path(preset, "config.yaml").is_file():
        raise UserError(
            f"{preset} holds neither a SavedModel nor a training; expected the name of an entry, the folder of a"
            " SavedModel, or the --workdir of python -m tfcoded.train"
        )
    if folder is None:
        return restored_model(preset)
    return _of_saved_model(zoo.load_saved_model(folder), folder)


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
    return _of_saved_model(loaded, folder)


def _of_saved_model(loaded, folder):
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
