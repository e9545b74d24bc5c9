"""The option --over: a trained model's words sent over noisy channels, as one record and one table."""

import dataclasses
import math

from tfcoded.config import channels
from tfcoded.runs import records
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError

_EXPECTED = "expected a channel and its probabilities, such as bsc:0.05, bsc:0,0.1,0.2 or bec:0.5"
_COLUMNS = (  # metric, title, digits
    ("wer", "WER", 4),
    ("ber", "BER", 4),
    ("wer_images", "WER images", 4),
    ("ber_images", "BER images", 4),
    ("psnr", "PSNR dB", 2),
    ("psnr_loss", "loss dB", 3),
    ("ssim", "SSIM", 4),
    ("accuracy", "accuracy", 4),
)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One channel at several noise levels.

    Attributes:
      kind: short name of a channel of bits, such as `bsc` or `bec`.
      parameters: tuple of `float`, increasing levels of its noise, such as the probability that a bit is flipped.
    """

    kind: str
    parameters: tuple[float, ...]

    @property
    def parameter_name(self):
        """`str`, what the numbers are."""
        return self.settings.noise

    @property
    def settings(self):
        """The class of the channel's sections, see `tfcoded.config.channels.BitChannelSettings`."""
        return _of_bits()[self.kind]

    def channel(self, parameter):
        """The `tfcoded.channels.BitChannel` of one noise level."""
        return self.settings.at(parameter).build()

    def capacity(self, parameter):
        """Bits per bit sent at a noise level."""
        return self.settings.at(parameter).capacity_bits

    def limit(self, rate):
        """The noise level whose capacity is `rate`, a `float`; see `tfcoded.config.channels.BitChannelSettings.limit`."""
        return self.settings.limit(rate)


def parse(text):
    """Reads the option.

    Args:
      text: `str` such as `bsc:0.05` or `bec:0,0.1,0.5`; the order of the numbers does not matter.

    Returns:
      A `Sweep`.

    Raises:
      UserError: for anything else.

    Example:

    ```python
    parse("bsc:0.2,0.1")  # Sweep(kind="bsc", parameters=(0.1, 0.2))
    ```
    """
    kind, colon, numbers = text.partition(":")
    if not colon or not numbers:
        raise UserError(f"--over={text}: {_EXPECTED}")
    known = _of_bits()
    if kind not in known:
        raise UserError(f"--over={text}: unknown channel {kind!r}; {_EXPECTED}")
    parameters = set()
    for number in numbers.split(","):
        try:
            parameter = float(number)
        except ValueError:
            raise UserError(f"--over={text}: {number!r} is not a number; {_EXPECTED}") from None
        if not 0 <= parameter <= 1:  # false for NaN
            raise UserError(f"--over={text}: {number} is no {known[kind].noise}; it must lie in [0, 1]")
        if parameter in parameters:
            raise UserError(f"--over={text}: {number} is there twice")
        parameters.add(parameter + 0.0)  # -0.0 is 0.0
    return Sweep(kind, tuple(sorted(parameters)))


def _of_bits():
    """Sections of channels of bits by their short names."""
    return {kind.short: kind for kind in channels.ChannelSettings.kinds.values() if kind.bits}


def measure(codec, config, dataset, classifier, plan, sweep, **facts):
    """Sends the words of a data set's images, and random ones, over a channel at every noise level.

    Args:
      codec, config, dataset, classifier: as in `tfcoded.evaluation.measurement.measure`.
      plan: a `tfcoded.evaluation.plan.Plan`, of which `split`, `images`, `seed`, `runs` and `words` are used.
      sweep: a `Sweep`.
      **facts: more for the record, such as `epochs`.

    Returns:
      The content of a JSON file, a `dict`: a metric such as `psnr_bsc_0.1` for each of
      `tfcoded.metrics.transmission` and each noise level, and under `over` the channel, the code's rate and
      the capacities; the same as a table, a `str`; and a `dict` of arguments of
      `tfcoded.pictures.transmission_curves`.

    Raises:
      UserError: if the model cannot be measured.
    """
    from tfcoded.metrics import protocol, transmission

    images, labels = plan.chosen(dataset)
    layers = [sweep.channel(parameter) for parameter in sweep.parameters]
    received, noiseless = transmission.measure(
        codec, config, images, labels, classifier, layers, seed=plan.seed, runs=plan.runs, words=plan.words
    )
    levels = [{"parameter": level, "capacity": sweep.capacity(level)} for level in sweep.parameters]
    rows = [level | {"metrics": metrics} for level, metrics in zip(levels, received)]
    limit = sweep.limit(config.rate)
    notes = _notes(rows, sweep, limit, config, plan)
    notes += protocol.missing_accuracy({}, config.dataset, labels, classifier)

    measured = {}
    for row in rows:
        suffix = f"{sweep.kind}_{label(row['parameter'])}"
        measured |= {f"{name}_{suffix}": value for name, value in row["metrics"].items()}
    over = {"channel": sweep.kind, "rate": config.rate, "limit": limit, "levels": levels}
    facts = {"images": len(images), "runs": plan.runs, "words": plan.words, "over": over} | facts
    content = records.record(
        config.name, measured | noiseless, {}, seed=plan.seed, split=plan.split, notes=notes, **facts
    )
    levels = [max(limit, *sweep.parameters) * step / 100 for step in range(101)]
    curves = {
        "rows": rows,
        "noiseless": noiseless,
        "parameter": sweep.parameter_name,
        "capacity": (levels, [sweep.capacity(level) for level in levels]),
        "limit": (limit, config.rate),
    }
    text = table(rows, noiseless, config.rate, sweep.parameter_name)
    return content, "\n".join([text, *(f"note: {note}" for note in notes)]), curves


def _notes(rows, sweep, limit, config, plan):
    name = sweep.parameter_name
    mirrored = f" (and {1 - limit:.4g})" if 0 < limit < sweep.settings.noisiest == 0.5 else ""
    rate = f"{config.information_bits}/{config.code_bits} = {config.rate:.4g}"
    where = f"{name} {limit:.4g}{mirrored}"
    what = f"{config.name} over the {sweep.settings.noun}"
    notes = [f"{what}: rate {rate} bits per bit sent, the capacity at {where}"]
    # Without noise there is nothing to be unsure of.
    spotless = [row for row in rows if row["metrics"]["wer"].value == 0 and row["capacity"] < 1]
    if spotless:
        total = plan.runs * plan.words
        levels = ", ".join(label(row["parameter"]) for row in spotless)
        notes.append(
            f"{name} {levels}: no error in {total} random words, so the word error rate is below {3 / total:.1g} "
            "with 95% confidence"
        )
    return notes


def label(parameter):
    """A noise level as short text, still the same number."""
    short = f"{parameter:g}"
    return short if float(short) == parameter else repr(parameter)


def compare(rate, capacity):
    """`str`: whether a rate is `below`, `at` or `above` the capacity."""
    if math.isclose(rate, capacity, rel_tol=1e-9, abs_tol=1e-12):
        return "at"
    return "below" if rate < capacity else "above"


def table(rows, noiseless, rate, parameter):
    """One line for each noise level, the last one for no channel at all.

    Args:
      rows: `dict`s of `parameter`, `capacity` and `metrics`, by name.
      noiseless: the metrics without a channel, by name.
      rate: `float`, information bits per bit sent.
      parameter: `str`, what the parameter is called.

    Returns:
      `str` of several lines.
    """
    columns = [column for column in _COLUMNS if column[0] in rows[0]["metrics"]]
    lines = [(parameter, "capacity", "rate is", *(title for _, title, _ in columns))]
    for row in rows:
        cells = [_cell(row["metrics"][name], digits) for name, _, digits in columns]
        relation = compare(rate, row["capacity"])
        lines.append((label(row["parameter"]), f"{row['capacity']:.4f}", relation, *cells))
    cells = [_cell(noiseless.get(f"{name}_noiseless"), digits) for name, _, digits in columns]
    lines.append(("no channel", "-", "-", *cells))
    return text_tables.aligned(lines, left=0)


def _cell(value, digits):
    if value is None:
        return "-"
    error = "" if value.standard_error is None else f" ± {value.standard_error:.{digits}f}"
    return f"{value.value:.{digits}f}{error}"
