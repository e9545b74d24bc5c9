"""The tables of the Coded-DVAE paper with our measured rows beside the published ones.

    python -m tfcoded.evaluate --table=1
    python -m tfcoded.evaluate --table=12 --runs_dir=runs --format=csv --out=table_12.csv

Every row of the paper is followed by ours: of the zoo's entry, or with `--runs_dir` of the training run in
the folder of that name. A `metrics.json` holds the measurements on one split of the images, a
`metrics_train.json` beside it those on the other; their `split` says which is which. No TensorFlow is
imported here.
"""

import csv
import io
import math
import pathlib
from typing import NamedTuple

from tfcoded import config as configuration, zoo
from tfcoded.evaluation import measurement, paper_tables
from tfcoded.runs import workdir
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError

FORMATS = ("markdown", "csv")

_FILES = ("metrics.json", "metrics_train.json")
# Measured on random words and no image of a data set, so they belong to both splits.
_ERROR_RATES = ("ber", "wer")
# Training and test images of the whole data set. Tiny ImageNet is tested on its validation images.
_IMAGES = {
    "fashion_mnist": {"train": 60000, "test": 10000},
    "mnist": {"train": 60000, "test": 10000},
    "cifar10": {"train": 50000, "test": 10000},
    "tiny_imagenet": {"train": 100000, "test": 10000},
}


class _Row(NamedTuple):
    """One row of ours or of the paper.

    Attributes:
      label: `str`, the paper's name of the model.
      entry: `str`, name in the zoo.
      source: `str`, `paper` or `here`.
      trained: `str`, epochs; ours says of how many, or that other weights were trained before.
      cells: dict from metric to `zoo.Measurement`.
      notes: dict from metric to `str`, what a reader of that number must know; under `None`, of the whole
        row.
      shown: dict from metric to `str`, what follows that number in its cell.
    """

    label: str
    entry: str
    source: str
    trained: str
    cells: dict
    notes: dict
    shown: dict = {}


def render(number, zoo_dir=None, runs_dir=None, format="markdown"):  # pylint: disable=redefined-builtin
    """A table of the paper with our numbers, each with its standard error.

    Args:
      number: `int`, 1 to 21.
      zoo_dir: folder of the zoo's entries, as in `tfcoded.zoo.directory`.
      runs_dir: `str` or path: take our numbers from the training runs `<runs_dir>/<entry>` instead of from
        the zoo. What differs from the entry is said in a note; a run of other images is left out.
      format: `str`, `markdown`, where `-` stands for what was not measured, or `csv`, where it is empty.

    Returns:
      `str` with a final newline.

    Raises:
      UserError: for an unknown table or format, if `runs_dir` is no folder, or if a metrics.json is damaged
        or measures something else.

    Example:

    ```python
    print(render(13))
    ```
    """
    if number not in paper_tables.TABLES:
        raise UserError(f"no table {number}; expected one of the paper's tables 1 to {len(paper_tables.TABLES)}")
    if format not in FORMATS:
        raise UserError(f"unknown format {format!r}; expected {' or '.join(FORMATS)}")
    if runs_dir is not None and not pathlib.Path(runs_dir).is_dir():
        raise UserError(f"runs_dir is {str(runs_dir)!r}, which is no folder; expected one of training runs")
    table = paper_tables.TABLES[number]
    rows = []
    for label, entry in table.rows:
        config = zoo.config(entry, zoo_dir)
        rows.append(_published(number, label, config, table.columns))
        rows.append(_measured(label, config, table.columns, zoo_dir, runs_dir))
    return (_markdown if format == "markdown" else _csv)(number, table, rows)


def _published(number, label, config, columns):
    """The paper's row: the numbers of this very table, also where another table has others."""
    cells, notes = {}, {}
    for metric, _ in columns:
        if metric not in config.published:
            continue
        conflicts = config.conflicts.get(metric, {})
        value = conflicts.get(f"Table {number}", config.published[metric])
        cells[metric] = zoo.Measurement(value, None)
        if value != config.published[metric]:
            others = [place for place in config.tables if place not in conflicts and _shows(place, config.name, metric)]
            notes[metric] = f"{', '.join(others)} of the paper: {_number(config.published[metric])}"
    return _Row(label, config.name, "paper", str(config.training.epochs), cells, notes)


def _shows(place, entry, metric):
    """Whether a place such as `Table 9` or `Figure 5` holds this metric of this entry."""
    if place == "Figure 5":  # the table in it
        return metric in ("psnr", "accuracy", "confident_accuracy", "entropy")
    table = paper_tables.TABLES[int(place.removeprefix("Table "))]
    return metric in dict(table.columns) and entry in (name for _, name in table.rows)


def _measured(label, config, columns, zoo_dir, runs_dir):
    """Our row: what was measured of one trained model."""
    records = list(_records(config.name, zoo_dir, runs_dir))
    run = None if runs_dir is None else pathlib.Path(runs_dir) / config.name
    trained_as = configuration.load(run / "config.yaml") if run and (run / "config.yaml").is_file() else config
    if trained_as.dataset != config.dataset:  # a row of the paper has nothing to do with it
        note = {None: f"left out: {run} is a training on {trained_as.dataset}"} if records else {}
        return _Row(label, config.name, "here", "", {}, note)
    found, described, shown = {}, {}, {}
    for record in records:
        suffix = "_train" if record["split"] == "train" else ""
        for metric, value in record["metrics"].items():
            found.setdefault(metric if metric.startswith(_ERROR_RATES) else metric + suffix, value)
        for metric, facts in record.get("likelihood", {}).items():
            if "note" not in facts:
                size = record["metrics"].get(metric.replace("log_likelihood", "effective_sample_size", 1))
                size = f", median effective sample size {size.value:.0f}" if size and "samples" in facts else ""
                shown[metric + suffix] = measurement.qualified(record, metric)
                described[metric + suffix] = measurement.describe_likelihood(facts) + size + shown[metric + suffix]
    cells = {metric: found[metric] for metric, _ in columns if metric in found}
    notes = {metric: text for metric, text in described.items() if metric in cells}
    for metric, _ in columns:
        part, _, kind = metric.partition("_")
        if kind == "parameters" and metric not in found and part in config.parameters:
            cells[metric] = zoo.Measurement(config.parameters[part], None)
            notes[metric] = "the configuration's count; the tests count the networks that are built from it"
    remarks = list(dict.fromkeys(remark for record in records for remark in _remarks(record, config)))
    remarks += [f"trained with {change}" for change in workdir.differences(trained_as, config)]
    starts = _starts(records, run)
    remarks += [f"trained from the weights of {start}, not from random ones as the paper's" for start in starts]
    if remarks:
        notes[None] = "; ".join(remarks)
    trained = " and ".join(dict.fromkeys(str(record.get("epochs") or "?") for record in records))
    if trained:
        trained += " after other weights" if starts else f" of {config.training.epochs}"
    return _Row(label, config.name, "here", trained, cells, notes, shown)


def _records(entry, zoo_dir, runs_dir):
    """The contents of an entry's files of metrics, the one of the test images first."""
    found = {}
    for name in _FILES:
        if runs_dir is None:
            path = zoo.measured_path(entry, name, zoo_dir)
        else:
            path = pathlib.Path(runs_dir) / entry / name
            path = path if path.is_file() else None
        if path is None:
            continue
        record = zoo.read_record(path)
        measured = record.get("name", entry)
        if measured != entry:
            raise UserError(f"{path} measures {measured!r}; expected measurements of {entry!r}")
        split = record.setdefault("split", "test")
        if split not in ("test", "train"):
            raise UserError(f"{path} measures the split {split!r}; expected test or train")
        if split in found:
            raise UserError(f"{' and '.join(_FILES)} in {path.parent} both measure the {split} images; keep one")
        found[split] = record
    return [found[split] for split in ("test", "train") if split in found]


def _remarks(record, config):
    """What makes a record's numbers others than those of the whole data set, as `str`s."""
    whole = _IMAGES.get(config.dataset, {})
    trained = (record.get("training") or {}).get("train_images")
    if trained is not None and trained != whole.get("train", trained):
        yield f"trained on {trained} of {whole['train']} images"
    split = record["split"]
    images = record.get("images")
    if images is not None and images != whole.get(split, images):
        yield f"measured on {images} of {whole[split]} {split} images"


def _starts(records, run):
    """What the training of records, in the folder of a run or `None`, took its first weights from, as `str`s."""
    facts = [record.get("training") or {} for record in records]
    if run is not None and records and (run / "run.json").is_file():
        facts.append(workdir.read_run(run))
    return dict.fromkeys(fact["initial_weights"] for fact in facts if fact.get("initial_weights"))


def _markdown(number, table, rows):
    headings = [table.label, "", "epochs", *(heading for _, heading in table.columns)]
    footnotes = {}  # text -> its number; the same text twice is one footnote

    def mark(row, metric):
        if metric not in row.notes:
            return ""
        return f" [{footnotes.setdefault(row.notes[metric], len(footnotes) + 1)}]"

    lines = []
    for row in rows:
        cells = [row.label, row.source + mark(row, None), row.trained or "-"]
        for metric, _ in table.columns:
            value = formatted(row.cells[metric]) + row.shown.get(metric, "") if metric in row.cells else "-"
            cells.append(value + mark(row, metric))
        lines.append(cells)
    parts = [f"**Table {number}: {table.title}.**", "", text_tables.markdown(headings, lines, left=2), ""]
    parts.append("paper: as published. here: measured by this repository, ± one standard error; - not measured.")
    # Two blanks at the end of a line keep Markdown from joining the footnotes.
    parts[-1] += "  " if footnotes else ""
    parts += [f"[{index}] {text}  " for text, index in footnotes.items()]
    return "\n".join(parts).rstrip() + "\n"


def _csv(number, table, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    headings = ["table", "model", "entry", "source", "epochs"]
    for metric, _ in table.columns:
        headings += [metric, f"{metric}_standard_error"]
    writer.writerow([*headings, "notes"])
    for row in rows:
        cells = [number, row.label, row.entry, row.source, row.trained]
        for metric, _ in table.columns:
            value, error = row.cells.get(metric, (None, None))
            cells += [_plain(value), _plain(error)]
        notes = (f"{metric}: {text}" if metric else text for metric, text in row.notes.items())
        writer.writerow([*cells, "; ".join(notes)])
    return buffer.getvalue()


def _plain(value):
    """A number as CSV has it, in full; empty if there is none."""
    return "" if value is None else f"{value:.10g}"


def formatted(number):
    """A `zoo.Measurement` as the paper prints it, or with its standard error to two digits of that error."""
    value, error = number
    if error is None or error <= 0 or not math.isfinite(error):
        return _number(value) + ("" if error is None else f" ± {_number(error)}")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _number(value):
    """A number without a standard error, as the paper prints it."""
    if float(value).is_integer() and abs(value) >= 1000:
        return f"{value:,.0f}"
    if 0 < abs(value) < 0.001:
        return f"{value:.2e}"
    return f"{value:.3f}"
