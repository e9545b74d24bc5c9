"""Where evaluation and generation get a model from: the zoo, a SavedModel or a training run's folder."""

import json
import pathlib
from typing import NamedTuple

from absl import flags

from tfcoded import config as configuration
from tfcoded import inception_weights, zoo
from tfcoded.errors import UserError

_METHODS = (
    "encode",
    "code_logits",
    "draw",
    "decode",
    "reconstruct",
    "generate",
    "elbo",
    "log_likelihood",
    "log_likelihoods",
    "configuration",
)


class Source(NamedTuple):
    """A trained model.

    Attributes:
      codec: the object with `encode`, `draw`, `decode`, `reconstruct`, `generate`, `elbo`, `log_likelihood`,
        `log_likelihoods` and `configuration`.
      config: its `tfcoded.config.Config`.
      epochs: `int`, how long it was trained, or `None` if that is not known.
    """

    codec: object
    config: configuration.Config
    epochs: int | None


def define_flags():
    """Defines --model, --saved_model, --workdir and --zoo_dir."""
    flags.DEFINE_string("model", None, "Name of a zoo entry; python -m tfcoded.zoo lists them.")
    flags.DEFINE_string("saved_model", None, "Folder of a SavedModel, or of its version folders.")
    flags.DEFINE_string("workdir", None, "Folder of a training run; its latest checkpoint.")
    flags.DEFINE_string("zoo_dir", None, f"Folder of the zoo's SavedModels; also {zoo.ENVIRONMENT}.")


def define_inception_flag():
    """Defines --inception."""
    flags.DEFINE_string(
        "inception",
        None,
        f"File of the FID network's weights; also {inception_weights.ENVIRONMENT}; "
        f"default {inception_weights.default_path()}.",
    )


def check(values):
    """Refuses, without importing TensorFlow, what `load` would refuse first.

    Args:
      values: absl's parsed flags.

    Raises:
      UserError: unless exactly one source is given and it exists.
    """
    given = [name for name in ("model", "saved_model", "workdir") if getattr(values, name) is not None]
    if len(given) != 1:
        got = " and ".join(f"--{name}" for name in given) or "none"
        raise UserError(f"expected exactly one of --model, --saved_model and --workdir, got {got}")
    if values.model is not None:
        zoo.saved_model_path(values.model, values.zoo_dir)
    elif values.saved_model is not None:
        saved_model_folder(values.saved_model)
    elif not pathlib.Path(values.workdir).is_dir():
        raise UserError(
            f"--workdir {values.workdir} is not a folder; expected the --workdir of python -m tfcoded.train"
        )


def load(values):
    """Loads the model that the flags name.

    Args:
      values: absl's parsed flags.

    Returns:
      A `Source`.

    Raises:
      UserError: unless exactly one source is given and holds a model.
    """
    check(values)
    if values.model is not None:
        folder = zoo.saved_model_path(values.model, values.zoo_dir)
        codec = zoo.load(values.model, values.zoo_dir)
    elif values.saved_model is not None:
        folder = saved_model_folder(values.saved_model)
        codec = zoo.load_saved_model(folder)
    else:
        from export.savedmodel import load_workdir

        folder = pathlib.Path(values.workdir)
        codec = load_workdir(values.workdir)

    config = configuration_of(codec, folder)
    epochs = checkpoint_epochs(folder) if values.workdir is not None else _recorded_epochs(folder)
    return Source(codec, config, epochs)


def configuration_of(codec, folder):
    """The configuration inside a model.

    Args:
      codec: the model, a loaded SavedModel or the object that one is saved from.
      folder: `str` or path where it comes from, for messages.

    Returns:
      A `tfcoded.config.Config`.

    Raises:
      UserError: if it is a SavedModel of something else.
    """
    missing = ", ".join(method for method in _METHODS if not hasattr(codec, method))
    if missing:
        raise UserError(f"{folder} holds a SavedModel without {missing}; expected one that tfcoded exported")
    text = codec.configuration()
    text = text if isinstance(text, str) else text.numpy().decode()
    return configuration.from_yaml(text, source=str(folder))


def load_classifier(dataset, zoo_dir=None):
    """The zoo's classifier of a data set.

    Args:
      dataset: `str`, name of the data set.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      Function from images `[N, H, W, C]` (uint8, or float32 in [0, 1]) to logits `[N, classes]`, or `None` if
      the zoo has no classifier of this data set.

    Raises:
      UserError: if its files are damaged.
    """
    name = f"{zoo.CLASSIFIER}{dataset}"
    if not zoo.has_weights(name, zoo_dir):
        return None
    model = zoo.load_trained(name, zoo_dir)
    # The closure keeps `model` alive: `model.classify` alone would not keep its own variables.
    return lambda images: model.classify(images)


def saved_model_folder(path):
    """The folder with `saved_model.pb`: `path`, or its version folder with the largest number.

    Raises:
      UserError: if there is none.
    """
    path = pathlib.Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    if not path.is_dir():
        raise UserError(f"--saved_model {path} is not a folder; expected one that holds saved_model.pb")
    numbered = (child for child in path.iterdir() if child.name.isdecimal())
    versions = [child for child in numbered if (child / "saved_model.pb").is_file()]
    if not versions:
        raise UserError(
            f"--saved_model {path} holds neither saved_model.pb nor a version folder such as 1/ with it"
        )
    return max(versions, key=lambda child: int(child.name))


def checkpoint_epochs(workdir):
    """Number of the newest checkpoint of a training run, an `int`, or `None` if there is none."""
    import tensorflow as tf

    from tfcoded.checkpoints import FOLDER

    _, _, number = (tf.train.latest_checkpoint(str(workdir / FOLDER)) or "").rpartition("-")
    return int(number) if number.isdecimal() else None


def _recorded_epochs(folder):
    """The epochs in the metrics.json of the zoo entry or training run that a version folder lies in."""
    for parent in folder.resolve().parents[:2]:  # <entry>/1 in the zoo, <workdir>/saved_model/1 of a run
        try:
            return int(json.loads((parent / "metrics.json").read_text(encoding="utf-8"))["epochs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the number of epochs is told where it is known; nothing depends on it
    return None
