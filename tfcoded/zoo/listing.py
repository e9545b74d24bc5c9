"""The zoo's entries in two tables, as `python -m tfcoded.zoo` prints them: TensorFlow is not imported."""

import sys

from tfcoded import families, zoo
from tfcoded.config import channels
from tfcoded.config.communication import SYSTEMS
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError

FORMATS = ("text", "markdown")

_METRICS = ("psnr", "accuracy", "entropy", "ber", "wer")


def render(entries, zoo_dir=None, format="text"):  # pylint: disable=redefined-builtin
    """Tables of discrete VAEs and of communication systems, with what was published and what was measured here.

    Args:
      entries: `dict` from name to configuration.
      zoo_dir: folder of the zoo's entries, as in `tfcoded.zoo.directory`.
      format: `str`, `text` or `markdown`.

    Returns:
      `str` without a final newline.
    """
    tables = {"coded_dvae": _vaes, "communication_system": _systems}  # by family
    parts = {name: {} for name in tables}
    for name, entry in entries.items():
        parts[families.of(entry).name][name] = entry
    found = [rows(parts[name], zoo_dir) for name, rows in tables.items() if parts[name]]
    return "\n\n".join((_markdown if format == "markdown" else text_tables.aligned)(*table) for table in found)


def _vae_order(item):
    name, entry = item
    return entry.item_shape, entry.dataset, entry.information_bits, entry.code_bits, zoo.natural(name)


def _vaes(entries, zoo_dir):
    """The table of discrete VAEs (a dict from name to `Config`): rows of cells, and how many columns are words."""
    rows = [
        ["", "", "bits", "", "parameters"] + [part for each in _METRICS for part in (each, "")] + ["weights", ""],
        ["name", "dataset", "M/D", "rate", "million"] + ["paper", "here"] * len(_METRICS) + ["epochs", "MB"],
    ]
    for name, entry in sorted(entries.items(), key=_vae_order):
        record = _record(name, zoo_dir)
        row = [name, entry.dataset, f"{entry.information_bits}/{entry.code_bits}", f"{entry.rate:.3g}"]
        row.append(_parameters(entry))
        for metric in _METRICS:
            row += [_number(entry.published.get(metric)), _measured_number(record, metric)]
        rows.append(row + _weights(name, entry, record, zoo_dir))
    return rows, 2


def _system_order(item):
    name, entry = item
    channel = entry.channel
    return (
        SYSTEMS.index(entry.system),
        list(channels.ChannelSettings.kinds).index(channel.kind),
        channel.bands,
        channel.order,
        zoo.natural(name),
    )


def _systems(entries, zoo_dir):
    """The same of communication systems (a dict from name to `SystemConfig`)."""
    rows = [
        [""] * 9 + ["parameters", "mse", "rate", "weights", ""],
        ["name", "dataset", "system", "channel", "prior", "decoder", "symbols", "bands", "beta", "million"]
        + ["here", "bits", "epochs", "MB"],
    ]
    for name, entry in sorted(entries.items(), key=_system_order):
        record = _record(name, zoo_dir)
        joint = entry.system == "joint"
        row = [name, entry.dataset, entry.system, "-" if entry.system == "source_vae" else entry.channel.label]
        row += [entry.prior if joint and not entry.channel.bits else "-"]
        row += ["-" if entry.system == "channel_autoencoder" else entry.decoder.kind]
        row += [str(entry.channel.symbols), str(entry.channel.bands) if joint else "-", f"{entry.beta:.3g}"]
        row += [_parameters(entry), _measured_number(record, "mse", 5), _measured_number(record, "rate", 1)]
        rows.append(row + _weights(name, entry, record, zoo_dir))
    return rows, 6


def _record(name, zoo_dir):
    """What was measured of an entry, empty if nothing was."""
    path = zoo.measured_path(name, zoo_dir=zoo_dir)
    try:
        return {} if path is None else zoo.read_record(path)
    except UserError as error:  # one damaged file should not hide the other entries
        print(f"warning: {error}", file=sys.stderr)
        return {}


def _parameters(entry):
    return f"{sum(entry.parameters.values()) / 1e6:.2f}" if entry.parameters else "-"


def _weights(name, entry, record, zoo_dir):
    """Two cells: for how many epochs of how many an entry's weights were trained, and their size."""
    if not zoo.has_weights(name, zoo_dir):
        return ["-", "-"]
    return [f"{record.get('epochs') or '?'}/{entry.training.epochs}", f"{_bytes(name, zoo_dir) / 1e6:.1f}"]


def _markdown(rows, left):
    """Rows of cells as a table of Markdown; the first two are its heading."""
    heading, above = [], ""
    for group, name in zip(*rows[:2], strict=True):
        above = group or (above if name in ("here", "MB") else "")  # these share the heading of what is left of them
        heading.append(f"{above}, {name}" if above else name)
    return text_tables.markdown(heading, [[f"`{row[0]}`", *row[1:]] for row in rows[2:]], left)


def _bytes(name, zoo_dir):
    """Size of an entry's SavedModel."""
    return sum(file.stat().st_size for file in zoo.trained_path(name, zoo_dir).rglob("*") if file.is_file())


def _number(value, decimals=3):
    return "-" if value is None else f"{value:.{decimals}f}"


def _measured_number(record, metric, decimals=3):
    here = record.get("metrics", {})
    return _number(here[metric].value if metric in here else None, decimals)
