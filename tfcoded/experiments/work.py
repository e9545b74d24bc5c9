"""Trains and measures what an experiment still lacks. Several processes may work in one folder."""

import contextlib
import gc
import json
import math
import time

import keras
import numpy as np

from tfcoded import config as configuration, data, models
from tfcoded.experiments import distances, plan, records
from tfcoded.experiments.quantity import Quantity
from tfcoded.metrics import communication
from tfcoded.runs import workdir
from tfcoded.training import loop
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import lock_file, writable_folder
from tfcoded.utils.progress import clock
from tfcoded.zoo import restoring, saving, sources

_VALIDATION_DRAWS = 1  # of the channel per validation image: betas differ by more than the noise of thousands of images


class Workshop:
    """The folder of the experiments and the data.

    A cell that is measured leaves `<out>/cells/<cell>.json`, and needs nothing else from then on. A process that finds
    a cell or a training taken by another one goes on with the next, and in the end waits.

    Args:
      out: `pathlib.Path`.
      runs: `pathlib.Path`, the folder of the training runs.
      settings: `tfcoded.experiments.plan.Settings`.
      data_dir: folder of tensorflow-datasets, or `None`.

    Raises:
      UserError: if the folders cannot be written to, or there are too few images.

    Example:

    ```python
    shop = Workshop(out, out / "runs", settings)
    records = shop.complete(cells)
    ```
    """

    def __init__(self, out, runs, settings, data_dir=None):
        self.out = writable_folder(out)
        self.runs = writable_folder(runs)
        self.settings = settings
        self._data_dir = data_dir
        self._loaded = {}  # run's name -> its model; few at a time
        dataset = self._dataset = data.load(settings.dataset, data_dir)
        dataset.require_shape(settings.image_shape)
        held_out = settings.validation_images
        available = len(dataset.train_images) - held_out
        self.train_images = settings.train_images or available
        if held_out < 1 or self.train_images < 1 or self.train_images > available:
            raise UserError(
                f"{settings.dataset} has {len(dataset.train_images)} training images: not enough for "
                f"--train_images={settings.train_images or 'all others'} and --validation_images={held_out}"
            )
        if settings.eval_images is not None and settings.eval_images > len(dataset.test_images):
            raise UserError(
                f"--eval_images={settings.eval_images}, but {settings.dataset} has {len(dataset.test_images)} test images"
            )
        self.validation_images = dataset.train_images[available:][: settings.eval_images]
        self.test_images = dataset.test_images[: settings.eval_images]
        self._network = None
        self._images = [data.digest(dataset.train_images), data.digest(dataset.test_images)]
        self._trained_on = data.digest(dataset.train_images[: self.train_images])

    def complete(self, cells):
        """Measures the cells that were not, training what they need.

        Args:
          cells: list of `tfcoded.experiments.plan.Cell`s.

        Raises:
          UserError: if something in the folders was made with other settings.
        """
        if any(cell.distances for cell in cells):
            self._network = distances.extractor(self.settings)  # what can fail should fail first
        left = _TimeLeft(self, cells)
        waiting = [cell for cell in cells if not self.measured(cell)]
        while waiting:
            taken = [cell for cell in waiting if not self._try(cell, left)]
            if len(taken) == len(waiting):  # all are being worked on
                with _lock(self._cell_lock(taken[0]), wait=True):
                    pass
                for run in taken[0].runs:
                    with _lock(self._run_lock(run), wait=True):
                        pass
            waiting = [cell for cell in taken if not self.measured(cell)]

    def measured(self, cell):
        """`bool`, whether a cell was measured, with these settings.

        Raises:
          UserError: if it was measured with other settings, or other images.
        """
        record = records.read(self.out, cell, self.settings)
        if record is None:
            return False
        if record.content.get("images_sha256", self._images) != self._images:
            file = records.path(self.out, cell)
            raise UserError(
                f"{file} was measured with other images of {self.settings.dataset}; give another --out, or delete it"
            )
        return True

    def codec(self, cell):
        """The trained system of a cell, an `tfcoded.codec.communication.SystemModule`; its runs are trained if they were not."""
        for run in cell.runs:
            with _lock(self._run_lock(run), wait=True):
                self.train(run)
        return self._codec(cell)

    def train(self, run):
        """Trains a run if it was not.

        Returns:
          `float`, seconds that took; 0 if it was trained before.

        Raises:
          UserError: if its folder holds another run.
        """
        if self.trained(run):
            return 0.0
        start = time.monotonic()
        loop.train(
            run.config,
            self.runs / run.name,
            seed=run.seed,
            train_images=self.train_images,
            dtype_policy=self.settings.dtype_policy,
            data_dir=self._data_dir,
            dataset=self._dataset if run.config.dataset == self.settings.dataset else None,
            validate=False,  # as long as a fifth of an epoch, and nothing is chosen with the test images
        )
        # A process trains dozens of networks; without this it keeps them all.
        self._loaded.clear()
        keras.backend.clear_session()
        gc.collect()
        return time.monotonic() - start

    def trained(self, run):
        """`bool`, whether a run is complete.

        Raises:
          UserError: if its folder holds another run.
        """
        folder = self.runs / run.name
        if not (folder / "config.yaml").is_file():
            return False
        changed = workdir.differences(configuration.load(folder / "config.yaml"), run.config)
        before = workdir.read_run(folder)
        after = {"seed": run.seed, "train_images": self.train_images, "dtype_policy": self.settings.dtype_policy}
        changed += [f"{key} {before.get(key)}, not {value}" for key, value in after.items() if before.get(key) != value]
        if not changed and run.config.dataset == self.settings.dataset:
            digests = dict(zip(workdir.DIGESTS, (self._trained_on, self._images[1]), strict=True))
            changed += [workdir.DIGESTS[key] for key, value in digests.items() if before.get(key, value) != value]
        if changed:
            raise UserError(f"{folder} holds another run ({'; '.join(changed)}); give another --out, or delete it")
        return (sources.checkpoint_epochs(folder) or 0) >= run.config.training.epochs

    def _try(self, cell, left):
        """Trains and measures a cell; `bool`, `False` if another process is at it or at one of its runs."""
        with _lock(self._cell_lock(cell)) as mine:
            if not mine:
                return False
            if self.measured(cell):
                return True
            for run in cell.runs:
                with _lock(self._run_lock(run)) as mine:
                    if not mine:
                        return False
                    seconds = self.train(run)
                if seconds:
                    left.trained(run, seconds)
            start = time.monotonic()
            self._measure(cell)
            left.measured(cell, time.monotonic() - start)
            return True

    def _measure(self, cell):
        if not cell.runs:
            self._measure_nothing(cell)
            return
        settings, codec = self.settings, self._codec(cell)
        samples = [
            communication.communication_samples(
                codec, cell.config, images, seed=cell.seed, draws=draws, batch_size=_batch_size(len(images))
            )
            for images, draws in (
                (self.validation_images, _VALIDATION_DRAWS),
                (self.test_images, settings.draws),
            )
        ]
        validation, test = samples
        metrics = {name: Quantity.mean(samples) for name, samples in test.items()}
        if cell.distances:
            bands, name = cell.config.channel.bands, plan.distance_name(settings)
            metrics |= distances.measure(codec, bands, self.test_images, self._network, name=name, seed=cell.seed)
        means = {name: float(np.mean(samples)) for name, samples in validation.items() if name.startswith("mse")}
        history = [self._history(run) for run in cell.runs]
        records.write(self.out, cell, settings, metrics, means, history, self._images)

    def _measure_nothing(self, cell):
        mean = self._dataset.train_images[: self.train_images].mean(axis=0, dtype=np.float64) / 255
        errors = [
            np.mean((images / 255.0 - mean) ** 2, axis=(1, 2, 3))
            for images in (self.test_images, self.validation_images)
        ]
        test, validation = Quantity.mean(errors[0]), {"mse": float(errors[1].mean())}
        records.write(self.out, cell, self.settings, {"mse": test}, validation, [], self._images)

    def _history(self, run):
        """What is told about a training: how long it took and how it ended."""
        try:
            history = json.loads((self.runs / run.name / "history.json").read_text(encoding="utf-8"))
            last = {name: values[-1] for name, values in history.items() if name not in ("epoch", "seconds")}
            return {
                "run": run.name,
                "train_images": self.train_images,
                "seconds": round(sum(history["seconds"]), 1),
            } | last
        except (OSError, ValueError, KeyError, IndexError):
            return {"run": run.name}

    def _codec(self, cell):
        parts = [self._model(run) for run in cell.runs]
        if len(parts) == 1:
            return saving.module(parts[0], cell.config)
        return saving.module(models.SeparateSystem.from_parts(*parts), cell.config)

    def _model(self, run):
        if run.name not in self._loaded:
            while len(self._loaded) >= 8:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[run.name] = restoring.restored_model(self.runs / run.name)[0]
        return self._loaded[run.name]

    def _cell_lock(self, cell):
        return self.runs / f".{cell.name}.cell"  # not the name of the run, which it may have in common

    def _run_lock(self, run):
        return self.runs / f".{run.name}.run"


def _batch_size(count):
    """A batch size near 256 that divides `count` evenly if it can: batches of another size are traced again."""
    return math.ceil(count / math.ceil(count / 256))


class _TimeLeft:
    """Prints a line after every training and measurement, with the time that the others take at this pace."""

    def __init__(self, shop, cells):
        self._shop = shop
        self._cells = cells
        self._seconds = {}  # kind of work -> durations

    def trained(self, run, seconds):
        self._seconds.setdefault(run.config.system, []).append(seconds)
        self._print(f"{run.name} trained in {clock(seconds)}")

    def measured(self, cell, seconds):
        self._seconds.setdefault("measured", []).append(seconds)
        self._print(f"{cell.name} measured in {clock(seconds)}")

    def _print(self, text):
        todo = [cell for cell in self._cells if not self._shop.measured(cell)]
        work = ["measured"] * len(todo)
        work += [run.config.system for run in plan.runs_of(todo) if not self._shop.trained(run)]
        every = [seconds for durations in self._seconds.values() for seconds in durations]
        seconds = sum(float(np.mean(self._seconds.get(kind, every))) for kind in work)
        ahead = f"; about {clock(seconds)} left for one process" if work else ""
        done = len(self._cells) - len(todo)
        print(f"{done}/{len(self._cells)} cells  {text}{ahead}", flush=True)


@contextlib.contextmanager
def _lock(path, wait=False):
    """Keeps other processes out while it is open; yields `False` if one is in and `wait` is false.

    The lock falls with the process, however that ends; the empty file stays.
    """
    try:
        file = lock_file(path, wait=wait)
    except BlockingIOError:
        yield False
        return
    with file:
        yield True
