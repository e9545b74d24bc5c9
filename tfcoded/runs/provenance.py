"""Where a measured number comes from: command, seed, hardware, versions, date."""

import datetime
import importlib.metadata
import json
import math
import os
import platform
import shlex
import sys

import tfcoded
from tfcoded.utils.errors import UserError

PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "tensorflow-datasets", "numpy")


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
        "command": command(),
        "seed": seed,
        "hardware": hardware(),
        "versions": versions(),
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


def command():
    """The command that started this process, such as `python -m tfcoded.evaluate --model=coded_8_240`."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    if specification is None:
        return shlex.join(["python", *sys.argv])
    module = specification.name.removesuffix(".__main__")
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def hardware():
    """The processor, the number of cores this process may use, and the accelerators TensorFlow sees."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{_processor()}, {cores} core" + ("" if cores == 1 else "s")]
    if "tensorflow" in sys.modules:
        devices = sys.modules["tensorflow"].config
        for device in devices.list_physical_devices():
            if device.device_type != "CPU":
                details = devices.experimental.get_device_details(device)
                parts.append(details.get("device_name", device.device_type))
    return "; ".join(parts)


def versions():
    """`dict` from package to version, with Python's own, for what the numbers depend on."""
    found = {"python": platform.python_version(), "tfcoded": tfcoded.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # tensorflow may be installed as tensorflow-cpu
            continue
    return found


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _finite(number):
    return number if number is not None and math.isfinite(number) else None
