"""One line of progress with the time left, for work that takes long."""

import sys
import time

from tfcoded.utils import process


class Meter:
    """Writes `label  30/50  note  0:12 left` when the work takes long.

    On a terminal the line appears after two seconds and is rewritten every half second; in a log file a new line is
    written every thirty.

    Args:
      label: `str`, what is being counted.
      total: `int`, number of steps.
      stream: text stream; `None` is `sys.stderr`.

    Example:

    ```python
    meter = Meter("epoch 1 of 3", 469)
    for step in range(469):
        meter.update(step, "elbo -241.3")
    meter.close()
    ```
    """

    def __init__(self, label, total, stream=None):
        self._label = label
        self._total = total
        self._stream = stream or sys.stderr
        terminal = self._stream.isatty()
        self._before, self._after = ("\r\033[K", "") if terminal else ("", "\n")
        self._period = 0.5 if terminal else 30.0
        self._start = time.monotonic()
        self._next = self._start + (2.0 if terminal else self._period)
        self._written = False

    def update(self, done, note=""):
        """Reports that `done` steps are finished, if it is time to.

        Raises:
          KeyboardInterrupt: if Ctrl-C or SIGTERM came, even where a library has caught the exception.
        """
        process.check()
        now = time.monotonic()
        if done and now >= self._next:
            left = (now - self._start) / done * (self._total - done)
            self._write(f"{done}/{self._total}", note, f"{clock(left)} left", end=self._after)
            self._written, self._next = True, now + self._period

    def close(self, note=""):
        """Reports the end, if anything was reported before."""
        if self._written:
            self._write(f"{self._total}/{self._total}", note, f"in {clock(time.monotonic() - self._start)}", end="\n")

    def _write(self, *parts, end):
        self._stream.write(self._before + "  ".join(part for part in (self._label, *parts) if part) + end)
        self._stream.flush()


def progress(steps, label, total, stream=None):
    """Yields from `steps` with a `Meter`.

    Args:
      steps: iterable.
      label: `str`, what is being counted.
      total: `int`, number of steps.
      stream: text stream; `None` is `sys.stderr`.

    Yields:
      The elements of `steps`.
    """
    meter = Meter(label, total, stream)
    for done, step in enumerate(steps):
        meter.update(done)
        yield step
    meter.close()


def clock(seconds):
    """`seconds` as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
