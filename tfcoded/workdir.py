"""The folder of a training run: what it trains, how far it got, what came out.

    config.yaml            the configuration, overrides applied
    run.json               seed, dtype policy and number of training images
    history.json           metrics of every finished epoch
    checkpoints/           the last two epochs
    logs/                  TensorBoard
    metrics.json           final measurements beside the published ones
    learning_curves.png, reconstructions.png, samples.png
    saved_model/1/         the exported SavedModel
"""

import dataclasses
import json
import pathlib

from tfcoded import config as configuration
from tfcoded.errors import UserError
from tfcoded.files import write_atomically


class Workdir:
    """The folder of one training run; made if missing, checked if it holds a run already.

    Args:
      path: `str` or path.
      config: `tfcoded.config.Config` to train.
      run: `dict` of what else must not change when the run goes on: `seed`, `train_images`, `dtype_policy`.

    Raises:
      UserError: if the folder cannot be written to, holds something else, or holds another run.

    Example:

    ```python
    workdir = Workdir("runs/coded_10_300", zoo.config("coded_10_300"), {"seed": 0})
    ```
    """

    def __init__(self, path, config, run):
        self.path = pathlib.Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            existing = (self.path / "config.yaml").exists()
            if existing:
                self._check_same(config, run)
            elif any(self.path.iterdir()):
                raise UserError(f"{path} is not empty and holds no training run; choose another --workdir")
            # Written again when the number of epochs changed; this also finds out whether the folder is writable.
            write_atomically(self.path / "run.json", json.dumps(run, indent=2) + "\n")
            write_atomically(self.path / "config.yaml", configuration.to_yaml(config))
        except OSError as error:
            raise UserError(f"cannot write to --workdir {path}: {error.strerror}") from error

    def _check_same(self, config, run):
        """Refuses to go on with another model, other data or other noise; more or fewer epochs are fine."""
        before = _settings(configuration.load(self.path / "config.yaml"))
        after = _settings(config)
        changed = [f"{key}: {before.get(key)} there, {after.get(key)} here" for key in after if after[key] != before.get(key)]
        there = read_run(self.path)
        changed += [f"{key}: {there.get(key)} there, {run[key]} here" for key in run if run[key] != there.get(key)]
        if changed:
            raise UserError(
                f"{self.path} holds another run ({'; '.join(changed)}); choose another --workdir, or the same settings"
            )

    def history(self, epochs):
        """Metrics of the first `epochs` epochs, a `dict` of lists; later ones, of a lost checkpoint, are dropped."""
        try:
            history = json.loads((self.path / "history.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UserError(f"{self.path / 'history.json'} is damaged ({error}); delete it to go on without") from error
        return {name: values[:epochs] for name, values in history.items()}

    def write_history(self, history):
        """Writes history.json; `history` is a `dict` from a metric's name to its values."""
        write_atomically(self.path / "history.json", json.dumps(history, indent=1) + "\n")


def read_run(path):
    """The content of run.json in the folder `path`, a `dict`.

    Raises:
      UserError: if it is missing or damaged.
    """
    file = pathlib.Path(path) / "run.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is missing or damaged ({error}); {path} is not the --workdir of a training") from error


def _settings(config):
    """What decides how a model is trained, flat: without the published facts and the number of epochs."""
    training = dataclasses.replace(config.training, epochs=1)
    facts = {"published": {}, "conflicts": {}, "tables": (), "parameters": {}}
    content = configuration.to_dict(dataclasses.replace(config, training=training, **facts))
    flat = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": setting for inner, setting in value.items()})
        else:
            flat[key] = value
    return flat
