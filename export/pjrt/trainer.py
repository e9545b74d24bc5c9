"""The training of one model: state on the device, epoch after epoch, checkpoints, results."""

import json
import math
import time

import numpy as np

from export.pjrt import philox, storage
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import lock, writable_folder, write_atomically


class NotFinite(UserError):
    """A metric became infinite or NaN."""


class InUse(UserError):
    """Another process trains this model in this folder."""


class Trainer:
    """Trains one model in a folder, or goes on with it.

    The folder holds `checkpoint.npz` (weights, moments, number of epochs, history), `history.json`, and at the end the
    weights in files `<name>.epoch200.000-of-00N.part`.

    Args:
      programs: `export.pjrt.program.Programs`.
      device: `export.pjrt.program.Device`.
      folder: `str` or path; made if missing.
      storage: `float32`, `bfloat16` or `int8`, of the result.
      part_bytes: `int`, largest file of the result.
      epochs: `int`, or `None` for the configuration's.
      steps: `int`, take only so many steps per epoch, for trials; or `None`.

    Raises:
      InUse: if another process trains there.
      UserError: if the folder cannot be written to, or holds the training of another program.
    """

    def __init__(self, programs, device, folder, storage="float32", part_bytes=15_000_000, epochs=None, steps=None):
        self.manifest = programs.manifest
        self.folder = writable_folder(folder)
        self.epochs = epochs or self.manifest["epochs"]
        self._programs, self._device, self._steps = programs, device, steps
        self._storage, self._part_bytes = storage, part_bytes
        self._lock = self._locked()
        weights = self.manifest["weights"]
        self._names = [weight["name"] for weight in weights]
        trained = [weight["name"] for weight in weights if weight["trained"]]
        # Names of the state in a checkpoint, in the order of the programs' inputs.
        self._keys = [f"float32/{name}" for name in self._names]
        self._keys += [f"{kind}/{name}" for kind in ("momentum", "velocity") for name in trained] + ["iterations"]
        self._checkpoint = self.folder / "checkpoint.npz"
        self._saved = None  # epochs in the checkpoint
        self._state = None
        self.history = {}
        self.seconds = 0.0  # of all epochs, also those before this process
        self.done = 0
        self._trained_on = device.facts()  # the last epoch
        if self._checkpoint.exists():
            self._restore()

    @property
    def name(self):
        return self.manifest["name"]

    @property
    def finished(self):
        """Whether the last epoch is trained and the result written, in the storage asked for."""
        if self.done < self.epochs:
            return False
        return storage.written_result(self.folder, self.name) == (self.done, self._storage)

    def prepare(self, executables, train_images, test_images):
        """Puts everything on the device.

        Args:
          executables: `dict` from name to function, see `Device.compiled`.
          train_images, test_images: arrays on the device, uint8.

        Raises:
          UserError: if the file of initial weights is missing or damaged.
        """
        self._run, self._train_images, self._test_images = executables, train_images, test_images
        if self._state is None:
            weights = self._programs.initial_weights()
            moments = [w["shape"] for w in self.manifest["weights"] if w["trained"]] * 2
            self._state = [*weights, *(np.zeros(shape, np.float32) for shape in moments), np.int32(0)]
        self._state = [self._device.put(value) for value in self._state]
        self._order = self._next_order()

    def epoch(self):
        """Trains one epoch and tests.

        Returns:
          `dict` from metric to `float`, as in the history of `model.fit`.

        Raises:
          NotFinite: if one of them is not finite. The state is lost then; the checkpoint is not touched.
        """
        start = time.monotonic()
        batch, count = self.manifest["batch_size"], self.manifest["images"]["train"]["count"]
        whole = count // batch
        steps = whole if self._steps is None else min(whole, self._steps)
        order, used, sums = self._device.put(self._order), steps * batch, 0
        if steps:
            sums = self._train("train", order, 0, steps)
        if steps == whole and count % batch:
            sums = sums + self._train("tail", order, whole * batch, 1)
            used = count
        tested = self._run["evaluate"]([*self._state[: len(self._names)], self._test_images])[0]
        self.done += 1
        self._trained_on = self._device.facts()
        self._order = self._next_order()  # while the device computes
        names = self.manifest["metrics"]
        means = np.asarray(sums) / used, np.asarray(tested) / self.manifest["images"]["test"]["count"]
        logs = {name: float(value) for name, value in zip(names, means[0])}
        logs |= {f"val_{name}": float(value) for name, value in zip(names, means[1])}
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            raise NotFinite(
                f"{self.name}: training stopped, {broken[0]} is not finite in epoch {self.done}; "
                + (f"{self._checkpoint} holds epoch {self._saved}" if self._saved else "there is no checkpoint yet")
            )
        seconds = time.monotonic() - start
        self.seconds += seconds
        for name, value in {"epoch": self.done, **logs, "seconds": round(seconds, 3)}.items():
            self.history.setdefault(name, []).append(value)
        return logs

    def save(self):
        """Writes history and checkpoint, unless they hold this epoch already."""
        if self._saved == self.done:
            return
        state = [np.asarray(value) for value in self._state]
        arrays = dict(zip(self._keys, state, strict=True))
        self._write_history()
        storage.write_checkpoint(self._checkpoint, arrays, self._facts(int(state[-1])))
        self._saved = self.done

    def write_result(self):
        """Writes the checkpoint and the weights so far; returns the files with the weights."""
        self.save()
        weights = {name: np.asarray(value) for name, value in zip(self._names, self._state)}
        facts = self._facts(int(self._state[-1]))
        return storage.write_result(self.folder, self.name, weights, self._storage, facts, self._part_bytes)

    def _train(self, name, order, start, steps):
        *self._state, sums = self._run[name](
            [*self._state, self._train_images, order, *(self._device.put(np.int32(n)) for n in (start, steps))]
        )
        return sums

    def _next_order(self):
        return philox.order(self.manifest["images"]["train"]["count"], self.manifest["order_seed"], self.done)

    def _facts(self, iterations):
        return {
            "name": self.name,
            "manifest_sha256": self._programs.sha256,
            "epochs": self.done,
            "iterations": iterations,
            "steps": self._steps,
            "seconds": round(self.seconds, 1),
            **self._trained_on,
            "history": self.history,
        }

    def _restore(self):
        arrays, facts = storage.read_checkpoint(self._checkpoint)
        for key, value in (("manifest_sha256", self._programs.sha256), ("steps", self._steps)):
            if facts[key] != value:
                raise UserError(
                    f"{self.folder} holds a training of other programs or steps ({key}: {facts[key]} there, "
                    f"{value} here); choose another --workdir"
                )
        self._state = [arrays[name] for name in self._keys]
        self.history, self.done, self.seconds = facts["history"], facts["epochs"], facts["seconds"]
        self._trained_on = {name: facts[name] for name in self._trained_on}
        self._saved = self.done

    def _write_history(self):
        write_atomically(self.folder / "history.json", json.dumps(self.history, indent=1) + "\n")

    def _locked(self):
        try:
            return lock(self.folder)
        except UserError as error:
            raise InUse(str(error)) from error
