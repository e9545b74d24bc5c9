"""The content of a metrics.json: what was measured of a model, and where the numbers come from."""

import datetime
import json
import math
import pathlib
import typing

from tfcoded.runs import provenance
from tfcoded.utils.errors import UserError


class Measurement(typing.NamedTuple):
    """A measured metric.

    Attributes:
      value: `float`.
      standard_error: `float`, or `None` where the metric was not sampled.
    """

    value: float
    standard_error: float | None


def read_record(path):
    """Reads a metrics.json, see `measured`.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      Its content, a `dict`, with `metrics` a dict from metric to `Measurement`, without what is no number.

    Raises:
      UserError: if the file is missing or damaged.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        metrics = content["metrics"].items()
        if not all(isinstance(content.get(name) or {}, dict) for name in ("training", "likelihood")):
            raise TypeError("training or likelihood is no mapping")
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f'{path} is damaged; expected JSON such as {{"metrics": {{"psnr": 18.1}}}}') from None
    found = {}
    for name, entry in metrics:
        entry = entry if isinstance(entry, dict) else {"value": entry}
        value, error = entry.get("value"), entry.get("standard_error")
        if _is_number(value):
            found[name] = Measurement(float(value), float(error) if _is_number(error) else None)
    return {**content, "metrics": found}


def record(name, metrics, published, *, seed, split="test", notes=(), **facts):
    """The content of a metrics.json.

    Args:
      name: `str`, what was measured.
      metrics: `dict` from a metric's name to a `tfcoded.metrics.Estimate`.
      published: `dict` from a metric's name to the published `float`.
      seed: `int`, the seed of the measurement.
      split: `str`, `test` or `train`.
      notes: `str`s, what a reader must know, for instance why a metric is missing.
      **facts: anything more that JSON can hold, such as `epochs`.

    Returns:
      `dict`: name, split, metrics (each `{"value", "standard_error"}`), published, notes, the facts, and
      where the numbers come from: command, seed, hardware, versions, date. Numbers that are not finite become
      `None`.
    """
    return {
        "name": name,
        "split": split,
        "metrics": {
            key: {"value": _finite(value), "standard_error": _finite(error)} for key, (value, error) in metrics.items()
        },
        "published": dict(published),
        "notes": list(notes),
        **facts,
        "command": provenance.command(),
        "seed": seed,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def check_addition(before, after, *, replace=False):
    """Refuses to add to a measurement what does not belong to it or is there already.

    Args:
      before: `dict`, the content of a metrics.json.
      after: `dict` of at least `name`, `split`, `epochs` and `metrics`, likewise. A metric with the very numbers
        that it has in `before` is no other.
      replace: `bool`, whether metrics may be exchanged.

    Raises:
      UserError: if the two are not of one model, split and number of epochs, or a metric would be exchanged.
    """
    for key in ("name", "split", "epochs"):
        if before.get(key) != after.get(key):
            raise UserError(
                f"cannot add to a measurement of another {key}: {before.get(key)} there, {after.get(key)} here; give"
                " another --out"
            )
    there = [name for name, found in after["metrics"].items() if before["metrics"].get(name, found) != found]
    if there and not replace:
        raise UserError(
            f"cannot add what is there already: {', '.join(there)}; give another --out, or --overwrite to replace it"
        )


def merge(before, after, *, replace=False):
    """Adds a later measurement of the same model on the same images.

    Args:
      before: `dict`, the content of a metrics.json.
      after: `dict` of the same kind.
      replace: `bool`, whether metrics of `after` may take the place of others of the same name.

    Returns:
      `dict`: `before` with the metrics and notes of `after` and how they were measured, and under `additions` where
      they come from.

    Raises:
      UserError: as `check_addition`.
    """
    check_addition(before, after, replace=replace)
    origin = {key: after[key] for key in ("command", "seed", "hardware", "versions", "date")}
    origin |= {"images": after.get("images"), "metrics": list(after["metrics"])}  # perhaps fewer images than before
    # A likelihood that was measured again without a value, or without samples, has none of before.
    again = after.get("likelihood", {})
    sizes = {name.replace("log_likelihood", "effective_sample_size", 1) for name in again}
    lost = (again.keys() | sizes) - after["metrics"].keys()
    kept = {name: value for name, value in before["metrics"].items() if name not in lost}
    how = {key: value for key, value in after.items() if key not in origin}  # such as runs and words of error rates
    if "likelihood" in before and "likelihood" in after:
        how["likelihood"] = before["likelihood"] | after["likelihood"]
    return {
        **before,
        **how,
        "metrics": kept | after["metrics"],
        "notes": list(dict.fromkeys([*before["notes"], *after["notes"]])),
        "additions": [*before.get("additions", []), origin],
    }


def to_json(content):
    """`content` as indented JSON text with a final newline; refuses NaN and infinities (`ValueError`)."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _finite(number):
    return number if number is not None and math.isfinite(number) else None
