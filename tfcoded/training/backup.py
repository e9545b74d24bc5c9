"""An unfinished training in one file, from which it goes on."""

import json
import pathlib

import keras
import numpy as np

from tfcoded.utils import npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically


class Backup(keras.callbacks.Callback):
    """Keeps a training in a file after every epoch, for trainings too small for `tfcoded.runs.workdir`.

    Args:
      path: `str` or path of the file (npz).
      variables: list of all variables that change during training, the optimizer's and those of random numbers too.
      settings: `dict` of what must be the same when the training goes on, as JSON can write it.

    Example:

    ```python
    backup = Backup("classifier/.training.npz", [*model.variables, *model.optimizer.variables], {"seed": 0})
    model.fit(batches, epochs=3, initial_epoch=backup.restore(), callbacks=[backup])
    ```
    """

    def __init__(self, path, variables, settings):
        super().__init__()
        self._path = pathlib.Path(path)
        self._variables = variables
        self._settings = settings

    def restore(self):
        """Gives the variables the values in the file, if there is one.

        Returns:
          `int`, the number of finished epochs; 0 without a file.

        Raises:
          UserError: if the file is damaged, or of another training.
        """
        if not self._path.exists():
            return 0
        try:
            arrays = npz.read(self._path)
            epochs, settings = int(arrays["epochs"]), json.loads(str(arrays["settings"]))
            values = [arrays[str(index)] for index in range(len(self._variables))]
            if any(value.shape != variable.shape for variable, value in zip(self._variables, values)):
                raise ValueError("a training of another network")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self._path} is damaged ({error}); delete it to train from the beginning") from error
        changed = [
            f"{key}: {settings.get(key)} there, {value} here"
            for key, value in self._settings.items()
            if settings.get(key, value) != value  # older files lack some
        ]
        if changed:
            raise UserError(
                f"{self._path} holds another training ({'; '.join(changed)}); give the same settings or another folder,"
                " or delete it"
            )
        for variable, value in zip(self._variables, values):
            variable.assign(value)
        return epochs

    def on_epoch_end(self, epoch, logs=None):
        values = {str(index): np.asarray(variable) for index, variable in enumerate(self._variables)}
        facts = {"epochs": epoch + 1, "settings": json.dumps(self._settings)}
        write_atomically(self._path, npz.packed(facts | values))
