"""The order in which the zoo's entries are trained, what is done of it, and how one process takes the next."""

import fcntl
import pathlib
import statistics
from typing import NamedTuple

from tfcoded import config as configuration, zoo
from tfcoded.runs.workdir import first_epochs, read_history
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import lock_file
from tfcoded.utils.progress import clock

FILE = "queue.yaml"
_CLAIM = ".claim"


class Job(NamedTuple):
    """An entry of the list.

    Attributes:
      name: `str`, the zoo entry.
      epochs: `int`, for how long it is trained.
    """

    name: str
    epochs: int


class Progress(NamedTuple):
    """How far a job is.

    Attributes:
      job: the `Job`.
      state: 'done' (the zoo has weights), 'running' (a process has it) or 'waiting'.
      trained: `int`, finished epochs.
      seconds: `float`, the median time of an epoch, or `None` before the first.
    """

    job: Job
    state: str
    trained: int
    seconds: float | None


def read(path, zoo_dir=None):
    """Reads a list of jobs: YAML, one `- NAME: EPOCHS` a line.

    Args:
      path: `str` or `os.PathLike`.
      zoo_dir: as in `tfcoded.zoo.directory`.

    Returns:
      list of `Job`, in order.

    Raises:
      UserError: if the file cannot be read, or a line names no entry, an entry again or no number of epochs.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from None
    lines = configuration.parse(text, str(path))
    if not isinstance(lines, list) or not lines:
        raise UserError(f"{path} holds no list; expected lines such as - coded_8_240: 40")
    jobs = []
    for number, line in enumerate(lines, start=1):
        job = Job(*next(iter(line.items()))) if isinstance(line, dict) and len(line) == 1 else None
        if job is None or type(job.epochs) is not int or job.epochs < 1:
            raise UserError(f"{path}: item {number} is {line!r}; expected one such as coded_8_240: 40")
        if job.name in {each.name for each in jobs}:
            raise UserError(f"{path} names {job.name} twice")
        zoo.config(job.name, zoo_dir)  # refuses what is no entry
        jobs.append(job)
    return jobs


def progress(job, runs_dir, zoo_dir=None):
    """How far a job is, a `Progress`; `runs_dir` is a `pathlib.Path`, `zoo_dir` as in `tfcoded.zoo.directory`."""
    history = first_epochs(read_history(runs_dir / job.name), job.epochs)
    trained = len(history.get("epoch", ()))
    seconds = statistics.median(history["seconds"]) if trained else None
    if zoo.has_weights(job.name, zoo_dir):
        return Progress(job, "done", trained, seconds)
    return Progress(job, "running" if _is_claimed(runs_dir / job.name) else "waiting", trained, seconds)


def table(rows):
    """The jobs with what is done of each and the time that is left, as text.

    The time of an epoch is that of the entry's own epochs. Entries that have none yet count as the median of the
    others, and the sum says so.

    Args:
      rows: list of `Progress`.
    """
    usual = statistics.median([row.seconds for row in rows if row.seconds is not None] or [0])
    lines, total, guessed = [], 0, False
    for row in rows:
        left = "" if row.state == "done" else "?"
        if row.state != "done":
            guessed |= row.seconds is None
            seconds = (row.job.epochs - row.trained) * (usual if row.seconds is None else row.seconds)
            total += seconds
            left = f"{clock(seconds)} left" if row.seconds is not None else ""
        epochs = "" if row.state == "done" else f"{row.trained} of {row.job.epochs} epochs"
        lines.append([row.job.name, row.state, epochs, left])
    counts = {state: sum(row.state == state for row in rows) for state in ("done", "running", "waiting")}
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    if usual and counts["done"] < len(rows):
        about = " (entries without an epoch counted as the median of the others)" if guessed else ""
        summary += f"; {clock(total)} of training left in one process{about}"
    return f"{text_tables.aligned(lines, left=4)}\n{summary}"


def claim(folder):
    """A job that one process has until it closes what this returns; see `tfcoded.utils.files.lock_file`.

    Args:
      folder: `pathlib.Path` of the job's run, which is made.

    Raises:
      BlockingIOError: if another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return lock_file(folder / _CLAIM)


def _is_claimed(folder):
    try:
        with (folder / _CLAIM).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
