"""Keras callbacks of a training run."""

import math
import time

import keras
import numpy as np

from tfcoded.utils.errors import UserError
from tfcoded.utils.progress import Meter, clock


class StopUnlessFinite(keras.callbacks.Callback):
    """Ends a training whose loss, weights or optimizer become infinite or NaN, before anything is saved of it.

    Args:
      latest: function that returns where the last good state is kept, or `None`.
      advice: `str`, a sentence on what may help.
    """

    def __init__(self, latest, advice):
        super().__init__()
        self._latest, self._advice = latest, advice
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._check((logs or {}).items(), f"in step {batch + 1} of epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self._check((logs or {}).items(), f"after epoch {epoch + 1}")
        # The last step may have spoiled a weight, or any step one that no loss depends on. A gradient whose square
        # overflows spoils no weight: Adam's second moment becomes infinite, and its weight stands still from there on.
        variables = [*self.model.weights, *self.model.optimizer.variables]
        self._check(((variable.path, np.asarray(variable)) for variable in variables), f"after epoch {epoch + 1}")

    def _check(self, values, when):
        broken = next((name for name, value in values if not np.isfinite(value).all()), None)
        if broken:
            latest = self._latest()
            kept = f"the last good checkpoint is {latest}" if latest else "no epoch was finished before"
            raise UserError(f"training stopped: {broken} is not finite {when}; {kept}. {self._advice}")


class EpochProgress(keras.callbacks.Callback):
    """Steps of the epoch with one metric so far and the time left; a line of results after each epoch.

    Args:
      epochs: `int`, number of the last epoch.
      monitor: `str`, name of the metric that is shown during an epoch.
    """

    def __init__(self, epochs, monitor):
        super().__init__()
        self._epochs = epochs
        self._monitor = monitor
        self._durations = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()
        self._meter = Meter(f"epoch {epoch + 1} of {self._epochs}", self.params["steps"])

    def on_train_batch_end(self, batch, logs=None):
        self._meter.update(batch + 1, f"{self._monitor} {readable(logs[self._monitor])}")

    def on_test_begin(self, logs=None):
        self._meter.close()

    def on_epoch_end(self, epoch, logs=None):
        if not any(name.startswith("val_") for name in logs):  # else closed before the test
            self._meter.close()
        seconds = time.monotonic() - self._start
        self._durations.append(seconds)
        left = (self._epochs - epoch - 1) * sum(self._durations) / len(self._durations)
        results = "  ".join(f"{name} {readable(value)}" for name, value in logs.items() if not name.endswith("loss"))
        ahead = f"; about {clock(left)} left" if left else ""
        print(f"epoch {epoch + 1} of {self._epochs}: {results}  ({clock(seconds)}{ahead})", flush=True)


def readable(value):
    """A metric with two decimals, or as many as its first four digits take: `-241.35`, `0.01235`."""
    if not math.isfinite(value) or value == 0:
        return f"{value:.2f}"
    return f"{value:.{max(2, 3 - math.floor(math.log10(abs(value))))}f}"


class EpochRecord(keras.callbacks.Callback):
    """After each epoch: history, then checkpoint.

    The history is written first: a run killed in between finds a history that is one epoch too long, which it cuts,
    rather than one that lacks an epoch.

    Args:
      checkpoints: `tfcoded.runs.checkpoints.Checkpoints`.
      workdir: `tfcoded.runs.workdir.Workdir`.
      history: `dict` of lists, the metrics of the epochs before this process; extended in place.
    """

    def __init__(self, checkpoints, workdir, history):
        super().__init__()
        self._checkpoints = checkpoints
        self._workdir = workdir
        self._history = history

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = round(time.monotonic() - self._start, 3)
        before = len(self._history.get("epoch", ()))
        values = {"epoch": epoch + 1, **logs, "seconds": seconds}
        for name in dict.fromkeys([*self._history, *values]):  # some epochs may have been trained without a test
            self._history.setdefault(name, [None] * before).append(values.get(name))
        self._workdir.write_history(self._history)
        self._checkpoints.save(epoch + 1)
