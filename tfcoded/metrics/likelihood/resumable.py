"""Measurements of one image after the other that survive an interruption."""

import json
import pathlib
import time

import numpy as np

from tfcoded.utils import npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

_SECONDS = 30.0  # between two writings
_TOLERANCE = 1e-3  # between the same probabilities computed twice; another model differs by much more


class ResumableRows:
    """Rows of numbers, one for each image in order, kept in a file with what they were measured with.

    A measurement of the first n images is the beginning of one of more images, so its file serves that too.

    Args:
      path: `str` or path of the file (npz), or `None` to keep nothing.
      columns: `int`, numbers in a row.
      settings: `dict` of what must be the same when the measurement goes on, as JSON can write it.
      fingerprint: `[N, ...]` floating array of outputs of the model for the N images, by which another model
        or other images are recognised.

    Attributes:
      rows: `np.float64` `[n, columns]`, n at most N, what has been measured so far.

    Raises:
      UserError: if the file is damaged, or of another measurement.

    Example:

    ```python
    results = ResumableRows("measured.npz", 2, {"samples": 300}, probabilities)
    with results:
        for index in range(len(results.rows), len(images)):
            results.append(measure(images[index : index + 1]))
    ```
    """

    def __init__(self, path, columns, settings, fingerprint):
        self._path = None if path is None else pathlib.Path(path)
        self._settings = json.dumps(settings | {"columns": columns}, sort_keys=True)
        self._fingerprint = np.asarray(fingerprint, np.float64)
        self._written, self._changed = time.monotonic(), False
        self.rows = np.zeros([0, columns])
        if self._path is not None and self._path.exists():
            self.rows = self._read()[: len(fingerprint)]

    def append(self, rows):
        """Adds `[n, columns]`, and writes the file if it has not been for half a minute."""
        self.rows, self._changed = np.concatenate([self.rows, rows]), True
        if time.monotonic() - self._written > _SECONDS:
            self._write()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        """Writes the file, also when the measurement was interrupted."""
        self._write()

    def _write(self):
        if self._path is None or not self._changed:  # the file may hold more rows than were asked for
            return
        fingerprint = self._fingerprint[: len(self.rows)]
        content = npz.packed({"rows": self.rows, "settings": self._settings, "fingerprint": fingerprint})
        write_atomically(self._path, content)
        self._written, self._changed = time.monotonic(), False

    def _read(self):
        try:
            arrays = npz.read(self._path)
            rows, fingerprint = arrays["rows"], arrays["fingerprint"]
            settings = json.loads(str(arrays["settings"]))
            if rows.ndim != 2 or len(rows) != len(fingerprint):
                raise ValueError(f"{rows.shape} numbers of {len(fingerprint)} images")
        except (ValueError, KeyError) as error:
            raise UserError(f"{self._path} is damaged ({error}); delete it to measure from the beginning") from error
        wanted = json.loads(self._settings)
        changed = [
            f"{key}: {settings.get(key)} there, {value} here"
            for key, value in wanted.items()
            if settings.get(key) != value
        ]
        shared = min(len(fingerprint), len(self._fingerprint))
        if not changed and (
            fingerprint.shape[1:] != self._fingerprint.shape[1:]
            or np.abs(fingerprint[:shared] - self._fingerprint[:shared]).max(initial=0.0) > _TOLERANCE
        ):
            changed = ["another model or other images"]
        if changed:
            differences = "; ".join(changed)
            raise UserError(f"{self._path} holds another measurement ({differences}); delete it, or give another file")
        return rows
