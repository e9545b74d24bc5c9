"""The folder of a training run: what it trains, how far it got, what came out.

config.yaml            the configuration, overrides applied
run.json               seed, number of training images, dtype policy, number of replicas, weights started from,
                       SHA-256 of the training and of the test images
pjrt.json              only of an imported run: the device it was trained on, and by which programs
history.json           metrics of every finished epoch
checkpoints/           the last two epochs
logs/                  TensorBoard
metrics.json           final measurements beside the published ones
learning_curves.png, reconstructions.png, samples.png, reliability.png
saved_model/1/         the exported SavedModel
.exported.json         until metrics.json is written: which version was exported, of which weights, how stored
"""

import json
import os
import pathlib

from tfcoded import config as configuration
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, lock, writable_folder, write_atomically

# What run.json knows of the images, and what is said where they are others.
DIGESTS = {
    "train_images_sha256": "the training images are others than there",
    "test_images_sha256": "the test images are others than there",
}


class Workdir:
    """The folder of one training run; made if missing, checked if it holds a run already.

    Args:
      path: `str` or path.
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig` to train.
      run: `dict` of what else must not change when the run goes on: `seed`, `train_images`, `dtype_policy`, `replicas`,
        `initial_weights`, and the SHA-256 of `DIGESTS`, which older runs lack.
      trained: `int`, epochs that the run's newest checkpoint has.

    Raises:
      UserError: if the folder cannot be written to, holds something else, another run or one that was trained for
        more epochs, or is in use, or TensorFlow cannot take its path.

    Example:

    ```python
    workdir = Workdir("runs/coded_10_300", zoo.config("coded_10_300"), {"seed": 0})
    ```
    """

    def __init__(self, path, config, run, trained=0):
        self.path = writable_folder(for_tensorflow(path))
        self._lock = lock(self.path)
        allowed = ("run.json", *config.parts)  # parts may have been trained elsewhere
        if (self.path / "config.yaml").exists():
            self._check_same(config, run)
        elif any(not child.name.startswith(".") and child.name not in allowed for child in self.path.iterdir()):
            raise UserError(f"{path} is not empty and holds no training run; choose another --workdir")
        if trained > config.training.epochs:  # what was measured after those would count as measured after fewer
            raise UserError(
                f"{path} was trained for {trained} epochs already, more than {config.training.epochs}; "
                f"give --epochs={trained} or more, or another --workdir"
            )
        # config.yaml makes the folder a run, so it comes last. Both are written again when the epochs changed.
        write_atomically(self.path / "run.json", json.dumps(run, indent=2) + "\n")
        write_atomically(self.path / "config.yaml", configuration.to_yaml(config))

    def _check_same(self, config, run):
        """Refuses to go on with another model, other data or other noise; see `settings` about the epochs."""
        unknown = {key: run[key] for key in DIGESTS if key in run}
        before = unknown | settings(configuration.load(self.path / "config.yaml")) | read_run(self.path)
        after = settings(config) | run
        changed = {
            key: DIGESTS.get(key, f"{key}: {before.get(key)} there, {value} here")
            for key, value in after.items()
            if _resolved(key, value) != _resolved(key, before.get(key))
        }
        if changed:
            # Of another data set the images are others of course.
            told = [text for key, text in changed.items() if key not in DIGESTS] or changed.values()
            raise UserError(
                f"{self.path} holds another run ({'; '.join(told)}); choose another --workdir, or the same settings"
            )

    def history(self, epochs):
        """Metrics of the first `epochs` epochs, a `dict` of lists; later ones, of a lost checkpoint, are dropped."""
        return first_epochs(read_history(self.path), epochs)

    def require_checkpoint(self, epochs):
        """Refuses to train again, as if nothing had happened, what was trained and has no checkpoint any more.

        Args:
          epochs: `int`, of the newest checkpoint; 0 if there is none.

        Raises:
          UserError: if there is none, but more than one epoch was recorded, or results were. One is recorded before
            its checkpoint is saved.
        """
        recorded = max(read_history(self.path).get("epoch", ()), default=0)
        if not epochs and (recorded > 1 or (self.path / "metrics.json").exists()):
            raise UserError(
                f"{self.path} was trained for {recorded} epochs, but its checkpoints are missing; put them back, or"
                " choose another --workdir to train again"
            )

    def results(self, epochs):
        """The content of metrics.json if it was measured after this many epochs, else `None`."""
        try:
            content = json.loads((self.path / "metrics.json").read_text(encoding="utf-8"))
            return content if content["epochs"] == epochs else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # not measured yet, or not completely; measured again

    def write_history(self, history):
        """Writes history.json; `history` is a `dict` from a metric's name to its values."""
        write_atomically(self.path / "history.json", json.dumps(history, indent=1) + "\n")


def _resolved(key, value):
    """The value of a setting, or the one path that all spellings of a path stand for."""
    return os.path.realpath(value) if key == "initial_weights" and isinstance(value, str) else value


def read_run(path):
    """The content of run.json in the folder `path`, a `dict`.

    Raises:
      UserError: if it is missing or damaged.
    """
    file = pathlib.Path(path) / "run.json"
    try:
        return {**json.loads(file.read_text(encoding="utf-8"))}
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise UserError(f"{file} is missing or damaged ({error}); {path} is not the --workdir of a training") from error


def read_history(path):
    """The content of history.json in the folder `path` of a run or of a zoo entry.

    Returns:
      `dict` from a metric's name to a list of its values, as many as `epoch` has; empty if there is no such file.

    Raises:
      UserError: if the file is damaged.
    """
    file = pathlib.Path(path) / "history.json"
    try:
        history = json.loads(file.read_text(encoding="utf-8"))
        if {len(values) for values in history.values()} - {len(history["epoch"])}:
            raise ValueError("lists of different lengths")
        for name, values in history.items():
            # An epoch without a test has None in place of the test's metrics.
            if not all(isinstance(value, (int, float)) or value is None and name != "epoch" for value in values):
                raise ValueError(f"{name} has what is no number")
        return history
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is damaged ({error}); delete it to go on without the earlier epochs") from error


def first_epochs(history, epochs):
    """What `history`, see `read_history`, says of the first `epochs` epochs, whichever it begins with."""
    kept = [index for index, epoch in enumerate(history.get("epoch", ())) if epoch <= epochs]
    return {name: [values[index] for index in kept] for name, values in history.items()}


def differences(config, other):
    """Where two configurations train different models, as `str`s; see `settings`."""
    here, there = settings(config), settings(other)
    # A setting that means nothing to a model is missing there.
    return [
        f"{key} {here.get(key, '-')}, not {there.get(key, '-')}"
        for key in dict.fromkeys([*here, *there])
        if here.get(key) != there.get(key)
    ]


def settings(config):
    """What decides how a model is trained, without the facts about it.

    The number of epochs is left out where more of them merely follow; a communication system's learning rate depends
    on it from the first step on.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.

    Returns:
      `dict` from a setting such as `training.batch_size` to its value.
    """
    training = config.training
    if isinstance(config, configuration.Config):
        # How many samples share the memory changes nothing but the speed.
        training = training.replace(epochs=1, samples_at_once=1)
    content = configuration.to_dict(config.without_facts(training=training))
    flat = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": setting for inner, setting in value.items()})
        else:
            flat[key] = value
    return flat
