"""The file of a measured cell: small, kept in version control, and of no use for other settings than its own.

    {"name": ..., "metrics": {"mse": {"value": ..., "standard_error": ...}, ...}, "replicates": {"mse": [20 numbers]},
     "validation": {"mse": ...}, "settings": {...}, "training": [...], "command": ..., "hardware": ..., ...}

`metrics` are of the test images, `replicates` the same without each twentieth of them, see `Quantity`.
"""

import dataclasses
import json
import math

from tfcoded.experiments.quantity import Quantity
from tfcoded.runs import records
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

FOLDER = "cells"
_DIGITS = 9  # of replicates, which differ from their mean by little


@dataclasses.dataclass(frozen=True)
class Record:
    """What was measured of a cell.

    Attributes:
      metrics: `dict` from a metric's name to a `Quantity` of the test images.
      validation: `dict` from a metric's name to its mean over the validation images.
      content: the whole file, a `dict`.
    """

    metrics: dict
    validation: dict
    content: dict


def path(out, cell):
    """`pathlib.Path` of a cell's file in the folder `out`."""
    return out / FOLDER / f"{cell.name}.json"


def read(out, cell, settings):
    """The `Record` of a cell, or `None` if it was not measured.

    Args:
      out: `pathlib.Path` of the experiments' folder.
      cell: `tfcoded.experiments.plan.Cell`.
      settings: `tfcoded.experiments.plan.Settings`.

    Raises:
      UserError: if the file is damaged, or was measured with other settings.
    """
    file = path(out, cell)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        metrics = {
            name: Quantity(entry["value"], content["replicates"].get(name), entry["standard_error"])
            for name, entry in content["metrics"].items()
            if entry["value"] is not None
        }
        record = Record(metrics, {**content["validation"]}, content)
        before = {**content["settings"]}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is damaged ({error!r}); delete it to measure again") from error
    # Through JSON once, in which a tuple is a list.
    after = json.loads(json.dumps(cell.settings(settings)))
    changed = [
        f"{key}: {before.get(key, '-')} there, {after.get(key, '-')} here"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]
    if changed:
        raise UserError(
            f"{file} was measured with other settings ({'; '.join(changed)}); give the same, another --out, or delete it"
        )
    return record


def write(out, cell, settings, metrics, validation, training, images):
    """Writes what was measured of a cell.

    Args:
      out, cell, settings: as in `read`.
      metrics: `dict` from a metric's name to a `Quantity`.
      validation: `dict` from a metric's name to a `float`.
      training: list of what JSON can hold about the runs.
      images: list of `str`, the SHA-256 of the data set's training and test images.
    """
    content = records.record(
        cell.name,
        {name: (quantity.value, quantity.standard_error) for name, quantity in metrics.items()},
        {},
        seed=cell.seed,
        replicates={
            name: [_rounded(number) for number in quantity.replicates]
            for name, quantity in metrics.items()
            if quantity.replicates is not None and "rate" not in name  # no claim is about rates
        },
        validation=validation,
        settings=cell.settings(settings),
        training=training,
        images_sha256=images,
    )
    for key in ("published", "notes"):
        del content[key]
    write_atomically(path(out, cell), compact(content))


def compact(content):
    """A `dict` as JSON with one line for each key, and for each metric: hundreds of numbers would fill as many lines."""
    lines = []
    for key, value in content.items():
        if key in ("metrics", "replicates") and value:
            inner = ",\n  ".join(
                f"{json.dumps(name)}: {json.dumps(each, allow_nan=False)}" for name, each in value.items()
            )
            lines.append(f"{json.dumps(key)}: {{\n  {inner}\n }}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def _rounded(number):
    if not math.isfinite(number):
        raise ValueError(f"a replicate is {number}")
    return float(f"{number:.{_DIGITS}g}")
