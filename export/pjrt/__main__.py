"""Trains the programs of `python -m export.training_program` on the first PJRT device, without TensorFlow.

    python -m export.pjrt programs/coded_10_300 programs/uncoded_10 --workdir=runs/pjrt --weights=int8

One model after the other; the same command goes on where it stopped, and skips what is finished or being trained by
another process. See docs/pjrt.md.
"""

import argparse
import concurrent.futures
import faulthandler
import os
import signal
import sys
import time

from export.pjrt import images
from export.pjrt.program import Device, Programs
from export.pjrt.storage import STORAGES
from export.pjrt.trainer import InUse, NotFinite, Trainer
from tfcoded.utils.errors import UserError, reason
from tfcoded.utils.files import expanded, writable_folder, write_atomically
from tfcoded.utils.progress import clock

_MARGIN = 5.0  # seconds of the time budget that are left for what cannot be foreseen


def main(arguments=None, device=None):
    """Runs the command line, on `device` if one is given; returns the exit status."""
    started = time.monotonic()
    try:
        values = _parsed(arguments)
        return _Schedule(values, started, device or Device(values.cache)).run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.strerror is None:
            raise
        print(f"error: {reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """Raises `UserError` for a mistaken option, in place of printing how the command is used."""

    def error(self, message):
        raise UserError(f"{message}; --help lists the options")


def _parsed(arguments):
    parser = _Parser(prog="python -m export.pjrt", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "programs", nargs="+", type=expanded, help="folders of python -m export.training_program, in order"
    )
    parser.add_argument(
        "--workdir", type=expanded, default="runs/pjrt", help="folder in which each model gets a folder"
    )
    parser.add_argument(
        "--images", type=expanded, default="data", help="folder of data sets: IMAGES/fashion_mnist/*.gz or *.npz"
    )
    parser.add_argument("--weights", default="float32", choices=STORAGES, help="storage of the trained weights")
    parser.add_argument("--part_mb", type=float, default=15.0, help="largest file of trained weights, in MB")
    parser.add_argument("--epochs", type=_positive(int), help="in place of the configurations'")
    parser.add_argument("--steps", type=_positive(int), help="only so many steps per epoch, for a trial")
    parser.add_argument("--time_budget", type=_positive(float), default=float("inf"), help="seconds, then stop")
    parser.add_argument("--checkpoint_seconds", type=float, default=300.0, help="time between checkpoints")
    parser.add_argument("--cache", type=expanded, help="folder that keeps compiled programs for the next process")
    parser.add_argument("--ahead", action="store_true", help="compile the next model while this one trains")
    values = parser.parse_args(arguments)
    if not 0.001 <= values.part_mb <= 1e6:
        parser.error(f"argument --part_mb: {values.part_mb:g} is not between 0.001 and 1e6")
    return values


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


class _Schedule:
    """Models one after the other, within a time budget."""

    def __init__(self, values, started, device):
        self._values, self._device = values, device
        self._deadline = started + values.time_budget
        self._root = writable_folder(values.workdir)
        self._programs = [Programs(folder) for folder in values.programs]
        names = [programs.manifest["name"] for programs in self._programs]
        if len(set(names)) < len(names):
            raise UserError(f"two programs are of one name: {', '.join(names)}")
        for programs in self._programs:
            self._check_epochs(programs.manifest)
        self._stop = False
        self._images = {}
        self._compiling = {}
        self._preparing = 0.0  # seconds that a model took until it could train

    def run(self):
        facts = self._device.facts()
        print(f"{facts['device']} ({facts['platform']}), jax {facts['jax']}", flush=True)
        signal.signal(signal.SIGTERM, self._on_signal)
        failed = 0
        # Threads: XLA compiles outside of Python's lock, and a program by itself uses few cores.
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
        try:
            for index, programs in enumerate(self._programs):
                if self._over(self._preparing):
                    break
                failed += not self._model(programs, self._programs[index + 1 : index + 2])
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        return 1 if failed else 0

    def _model(self, programs, following):
        """Trains one model as far as time allows; returns whether nothing went wrong."""
        values, name = self._values, programs.manifest["name"]
        folder = self._root / name
        failure = folder / "failed.txt"
        if failure.exists():
            print(f"{name}: skipped, it failed before: {failure}", flush=True)
            return False
        try:
            trainer = Trainer(
                programs, self._device, folder, values.weights, int(values.part_mb * 1e6), values.epochs, values.steps
            )
        except InUse:
            print(f"{name}: skipped, another process trains it", flush=True)
            return True
        if trainer.finished:
            print(f"{name}: finished before, {trainer.done} epochs", flush=True)
            return True
        if trainer.done >= trainer.epochs:
            self._write_result(trainer)
            return True
        before = time.monotonic()
        # First, so that missing images are told before minutes of compiling.
        data = [self._loaded(programs, part) for part in ("train", "test")]
        self._start_compiling(programs)
        futures = self._compiling.pop(programs.sha256)
        trainer.prepare({program: future.result() for program, future in futures.items()}, *data)
        self._preparing = max(self._preparing, time.monotonic() - before)
        duration = clock(time.monotonic() - before)
        print(f"{name}: {duration} to load and compile, {trainer.done} epochs so far", flush=True)
        if values.ahead:
            for later in following:
                self._start_compiling(later)
        try:
            self._train(trainer)
        except NotFinite as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            write_atomically(failure, f"{error}\n")
            return False
        return True

    def _train(self, trainer):
        first, last_save, longest, saving = trainer.done, time.monotonic(), 0.0, 0.0
        while trainer.done < trainer.epochs and not self._over(1.2 * longest + 4 * saving):
            start = time.monotonic()
            logs = trainer.epoch()
            duration = time.monotonic() - start
            longest = max(longest, duration)
            left = clock((trainer.epochs - trainer.done) * trainer.seconds / trainer.done)
            results = "  ".join(f"{name} {value:.5g}" for name, value in logs.items() if not name.endswith("loss"))
            print(
                f"{trainer.name} epoch {trainer.done} of {trainer.epochs}: {results}  ({duration:.2f} s; {left} left)",
                flush=True,
            )
            if time.monotonic() - last_save > self._values.checkpoint_seconds or not saving:
                start = time.monotonic()
                trainer.save()  # after the first epoch too, which tells how long it takes
                last_save, saving = time.monotonic(), time.monotonic() - start
        if trainer.done < trainer.epochs:
            print(f"{trainer.name}: stopped after epoch {trainer.done}; the same command goes on", flush=True)
            if trainer.done == first:
                return
        self._write_result(trainer)

    def _write_result(self, trainer):
        files = trainer.write_result()
        size = sum(file.stat().st_size for file in files) / 1e6
        print(f"{trainer.name}: {trainer.done} epochs, {size:.1f} MB of weights in {files[0]} ...", flush=True)

    def _check_epochs(self, manifest):
        """Refuses another number of epochs where the schedules of a training depend on it; a trial may have any."""
        asked, written = self._values.epochs or manifest["epochs"], manifest["epochs"]
        if manifest["epochs_are_fixed"] and asked != written and self._values.steps is None:
            raise UserError(
                f"--epochs={asked}, but the schedules of {manifest['name']} are those of {written} epochs; write its "
                f"programs again: python -m export.training_program --epochs={asked} --overwrite"
            )

    def _start_compiling(self, programs):
        if programs.sha256 not in self._compiling:
            names = programs.manifest["programs"]
            self._compiling[programs.sha256] = {
                name: self._pool.submit(lambda name=name: self._device.compiled(programs.read(name))) for name in names
            }

    def _loaded(self, programs, part):
        """Images on the device; those of the last data set are kept."""
        facts = programs.manifest["images"]
        digest = facts[part]["sha256"]
        if self._images.get(part, (None,))[0] != digest:
            self._images.pop(part, None)  # first, so that both need not fit
            array = images.load(facts, part, self._values.images, programs.folder)
            self._images[part] = digest, self._device.put(array)
        return self._images[part][1]

    def _over(self, ahead=0.0):
        """Whether to stop, because that was asked for or the time budget does not hold `ahead` seconds more."""
        return self._stop or time.monotonic() + ahead + _MARGIN > self._deadline

    def _on_signal(self, number, frame):
        print("asked to stop: this epoch is the last", file=sys.stderr, flush=True)
        self._stop = True


if __name__ == "__main__":
    faulthandler.enable()  # drivers and compilers may end a process without a word
    sys.exit(main())
