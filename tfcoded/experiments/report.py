"""What comes out of an experiment, as files: table, claims, figure, and all of it as JSON."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable

from tfcoded import zoo
from tfcoded.evaluation import tables
from tfcoded.experiments import claims as claims_module, plan
from tfcoded.runs import provenance, records
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of an experiment.

    Attributes:
      title: `str`.
      columns: tuple of `(key, heading)`.
      rows: list of `dict`s with these keys: a number, a text, or `(value, standard error)`.
      claims: list of `tfcoded.experiments.claims.Claim`.
      figures: `dict` from a file's name to a function that draws it at a path.
      remarks: list of `str`.
      facts: `dict` of more numbers for result.json.
      shown: `str`, for an experiment that shows something and measures nothing: how that was made.
    """

    title: str
    columns: tuple
    rows: list
    claims: list
    figures: dict[str, Callable]
    remarks: list = dataclasses.field(default_factory=list)
    facts: dict = dataclasses.field(default_factory=dict)
    shown: str = ""


def require_no_loss(folder, cells):
    """Refuses to replace a result by one that lacks some of its cells.

    Args:
      folder: `pathlib.Path` of the result.
      cells: the new one's `tfcoded.experiments.plan.Cell`s.

    Raises:
      UserError: if the result there has other cells too, or cannot be read.
    """
    file = folder / "result.json"
    try:
        before = json.loads(file.read_text(encoding="utf-8"))["cells"]
        lost = sorted(set(before) - {cell.name for cell in cells})
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error!r}); give --overwrite to replace the result") from error
    if lost:
        listed = ", ".join(lost[:5]) + (", .." if len(lost) > 5 else "")
        raise UserError(
            f"{folder} holds a result of {len(before)} cells, {len(lost)} of which this one would lack ({listed}); "
            "give these --seeds, --betas and --snrs too, another --out, or --overwrite to replace it"
        )


def write(folder, name, result, settings, cells):
    """Writes table.csv, table.md, claims.md, result.json and the figures into `folder`.

    Args:
      folder: `pathlib.Path`.
      name: `str`, the experiment.
      result: a `Result`.
      settings: `tfcoded.experiments.plan.Settings`.
      cells: the experiment's `tfcoded.experiments.plan.Cell`s.
    """
    for file, draw in result.figures.items():
        draw(folder / file)
    described = describe(settings, cells, result.shown)
    head = f"**{result.title}.** {described}\n"
    remarks = "".join(f"\n{remark}\n" for remark in result.remarks)
    command = f"\nMade by `{provenance.command()}`.\n"
    write_atomically(folder / "table.csv", to_csv(result.columns, result.rows))
    write_atomically(folder / "table.md", f"{head}\n{to_markdown(result.columns, result.rows)}{remarks}{command}")
    if result.claims:
        write_atomically(folder / "claims.md", f"{head}\n{claims_module.markdown(result.claims)}")
    content = {
        "name": name,
        "title": result.title,
        "settings": described,
        "rows": [{key: _plain(row.get(key)) for key, _ in result.columns} for row in result.rows],
        "claims": [claims_module.to_dict(claim) for claim in result.claims],
        "remarks": result.remarks,
        **result.facts,
        "dataset": settings.dataset,
        "size": settings.size,
        "epochs": settings.epochs,
        "dtype_policy": settings.dtype_policy,
        "seeds": list(settings.seeds),
        "betas": plan.betas_of(cells),
        "cells": [cell.name for cell in cells],
        "command": provenance.command(),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
    }
    write_atomically(folder / "result.json", records.to_json(content))


def describe(settings, cells, shown=""):
    """How the numbers were made, as text; or what is `shown`, where none were measured."""
    train = settings.train_images or "all but the last"
    number = (
        f"{train} training images" if settings.train_images else f"{train} {settings.validation_images} training images"
    )
    steps = ""
    if settings.train_images:
        first = cells[0].runs[0].config
        steps = f" ({plan.steps(first, settings.train_images)} steps)"
    betas = plan.betas_of(cells)
    parts = [
        f"{settings.dataset}, networks of size {settings.size}, {settings.epochs} epochs{steps} of {number}, batches of {settings.batch_size}, {settings.dtype_policy}"
    ]
    if any(run.config.system == "channel_autoencoder" for cell in cells for run in cell.runs):
        parts.append(f"channel autoencoders {settings.channel_epochs} epochs")
    parts += settings.overrides
    parts.append(f"beta {', '.join(f'{beta:.3g}' for beta in betas)}")
    if shown:
        return "; ".join([*parts, shown]) + "."
    parts.append(f"seeds {', '.join(map(str, settings.seeds))}")
    images = f"the first {settings.eval_images} test images" if settings.eval_images else "all test images"
    draws = settings.draws * (2 if cells[0].config.channel.bands > 1 else 1)  # as tfcoded.metrics.communication does
    distances = ", distances with one" if any(cell.distances for cell in cells) else ""
    parts.append(f"errors measured on {images} with {draws} draws of the channel{distances}")
    errors = "over seeds" if len(settings.seeds) > 1 else "over images"
    return "; ".join(parts) + f". Standard errors are {errors}."


def to_csv(columns, rows):
    """A table as CSV; a number with a standard error has a second column for it."""
    wide = {key for key, _ in columns if any(isinstance(row.get(key), tuple) for row in rows)}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([name for key, _ in columns for name in ([key, f"{key}_standard_error"] if key in wide else [key])])
    for row in rows:
        cells = []
        for key, _ in columns:
            value = row.get(key)
            if key in wide:
                cells += [_full(part) for part in (value if isinstance(value, tuple) else (value, None))]
            else:
                cells.append(_full(value))
        writer.writerow(cells)
    return buffer.getvalue()


def to_markdown(columns, rows):
    """A table as Markdown."""
    lines = [[_short(row.get(key)) for key, _ in columns] for row in rows]
    headings = [heading for _, heading in columns]
    return text_tables.markdown(headings, lines, left=0) + "\n"


def _short(value):
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return tables.formatted(zoo.Measurement(*value))
    return value if isinstance(value, str) else f"{value:.4g}"


def _full(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def _plain(value):
    """A table's cell as JSON has it."""
    if isinstance(value, tuple):
        return {"value": _plain(value[0]), "standard_error": _plain(value[1])}
    return None if isinstance(value, float) and not math.isfinite(value) else value
