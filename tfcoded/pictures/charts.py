"""Reliability diagrams, curves over channels and other quantities, and heat maps, as PNG files."""

import dataclasses
import math

import numpy as np

from tfcoded.pictures import _figure
from tfcoded.pictures._figure import BLUE, COLOURS, GREY, ORANGE

_QUESTIONS = {  # of calibration: whose probability is the confidence, and what is right
    "words": ("posterior probability of the likeliest word", "share of words that were sent"),
    "bits": ("posterior probability of a bit's likelier value", "share of values that were sent"),
    "reconstruction": ("posterior probability of the likeliest word", "share that show the true class"),
}
_TRANSMISSION = {  # panels of a noisy channel: their title, and the metrics in them with how they are drawn
    "error rate": {
        "wer": {"label": "words", "color": BLUE},
        "ber": {"label": "bits", "color": ORANGE},
        "wer_images": {"label": "words of images", "linestyle": "none", "marker": "x", "color": "black"},
    },
    "PSNR of received images, dB": {"psnr": {"label": "received", "color": BLUE}},
    "SSIM of received images": {"ssim": {"label": "received", "color": BLUE}},
    "semantic accuracy": {"accuracy": {"label": "received", "color": BLUE}},
}
_RARE = 0.02  # error rates below this are drawn on a logarithmic axis


def reliability_diagram(bins, path, heading=None):
    """Draws how often a model is right against how probable it takes that to be, and how often each probability occurs.

    There is one panel per question, its expected calibration error above it. A calibrated model lies on the
    diagonal. Points are at the mean confidence of their bin, bars are one standard deviation; a bin is tinted
    between its point and the diagonal.

    Args:
      bins: `dict` from the question's name to a `tfcoded.metrics.calibration.Reliability`.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      heading: `str`, such as the model's name, or `None`.

    Raises:
      ValueError: if there is nothing to draw.

    Example:

    ```python
    _, bins = calibration.measure(codec, branches=(8,))
    reliability_diagram(bins, "reliability.png")
    ```
    """
    if not bins:
        raise ValueError("bins hold no question, nothing to draw")
    figure = _figure.figure(3.8 * len(bins), 4.7)
    rows = figure.subplots(2, len(bins), sharex=True, squeeze=False, gridspec_kw={"height_ratios": [3, 1]})
    for name, found, panel, histogram in zip(bins, bins.values(), *rows):
        filled = found.count > 0
        share = found.count / found.count.sum()
        x, y = found.confidence[filled], found.accuracy[filled]
        panel.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as often right as probable")
        panel.vlines(x, x, y, color=ORANGE, alpha=0.35, linewidth=5)
        bars = np.clip([y - found.low[filled], found.high[filled] - y], 0, None)
        panel.errorbar(x, y, bars, color=BLUE, fmt="o-", markersize=4, linewidth=1, capsize=2, label="measured")
        error = np.sum(share[filled] * np.abs(y - x))
        confidence, right = _QUESTIONS.get(name, ("confidence", "accuracy"))
        panel.set_title(f"{name.replace('_', ' ')}: calibration error {error:.3f}", fontsize=11)
        panel.set_ylabel(right)
        panel.set_ylim(-0.03, 1.03)
        histogram.stairs(share, found.edges, fill=True, color=BLUE, alpha=0.6)
        histogram.set_ylabel("frequency")
        histogram.set_xlabel(confidence)
        histogram.set_xlim(-0.03, 1.03)
        for axes in (panel, histogram):
            _figure.tidy(axes)
    _figure.legend(figure, *rows[0][0].get_legend_handles_labels(), 2, heading)
    _figure.save(figure, path)


def transmission_curves(rows, path, *, noiseless, parameter, capacity, limit, heading=None):
    """Draws what a noisy channel does to words and images, against the channel's noise.

    The dotted line is where the capacity equals the code's rate: beyond it no code of that rate is reliable. Small
    error rates are drawn on a logarithmic axis, on which 0 lies below the smallest of them.

    Args:
      rows: `dict`s of `parameter`, `capacity` and `metrics`, a `dict` from the name to a
        `tfcoded.metrics.Estimate`; the names are those of `tfcoded.metrics.transmission.measure`.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      noiseless: metrics without a channel, by name.
      parameter: `str`, name of the horizontal axis.
      capacity: two arrays, noise levels and the capacities there.
      limit: `(parameter, rate)`, the point where the capacity equals the rate.
      heading: `str` or `None`.

    Raises:
      ValueError: if there are no rows.

    Example:

    ```python
    content, text, curves = over.measure(codec, config, dataset, classifier, plan, sweep)
    transmission_curves(path="noisy.png", **curves)
    ```
    """
    if not rows:
        raise ValueError("no rows, nothing to draw")
    panels = {title: lines for title, lines in _TRANSMISSION.items() if set(lines) <= set(rows[0]["metrics"])}
    columns = math.ceil((1 + len(panels)) / 2)
    figure = _figure.figure(4.2 * columns, 6.4)
    first, *others = figure.subplots(2, columns, squeeze=False).ravel()
    first.plot(*capacity, color=BLUE, label="capacity")
    first.axhline(limit[1], color=ORANGE, linewidth=1.2, label=f"rate {limit[1]:.3g}")
    first.plot(*limit, "D", color=ORANGE, markersize=5)
    first.set_title("bits per bit sent", fontsize=11)
    first.set_ylim(-0.03, 1.03)
    for panel, (title, lines) in zip(others, panels.items()):
        _over_noise(panel, rows, noiseless, lines)
        panel.set_title(title, fontsize=11)
    rates = [row["metrics"][metric].value for row in rows for metric in panels["error rate"]]
    quiet = [f"{metric}_noiseless" for metric in panels["error rate"]]
    _error_rate_axis(others[0], [*rates, *(noiseless[name].value for name in quiet if name in noiseless)])
    for panel in (first, *others[: len(panels)]):
        panel.axvline(limit[0], color=GREY, linestyle=":", label=f"capacity = rate: {limit[0]:.3g}")
        panel.set_xlabel(parameter)
        _figure.tidy(panel)
        panel.legend(frameon=False, fontsize=8)
    for panel in others[len(panels) :]:
        panel.set_visible(False)
    if heading:
        figure.suptitle(heading, fontsize=12)
    _figure.save(figure, path)


def _over_noise(panel, rows, noiseless, lines):
    """Draws metrics, `dict` from name to style, over the noise, and what they are without a channel."""
    for metric, style in lines.items():
        values = [row["metrics"][metric] for row in rows]
        panel.errorbar(
            [row["parameter"] for row in rows],
            [value.value for value in values],
            [value.standard_error or 0.0 for value in values],
            **{"marker": "o", "markersize": 4, "linewidth": 1.2, "capsize": 2, **style},
        )
        quiet = noiseless.get(f"{metric}_noiseless")
        if quiet is not None:
            panel.axhline(quiet.value, color=GREY, linestyle="--", linewidth=1, label="without channel")


def _error_rate_axis(panel, rates):
    """Makes the vertical axis logarithmic if some of the rates that are drawn are small, with 0 below the smallest."""
    smallest = min((rate for rate in rates if rate > 0), default=1)
    if smallest >= _RARE:
        panel.set_ylim(-0.03, 1.03)
        return
    threshold = 10.0 ** math.floor(math.log10(smallest))
    panel.set_yscale("symlog", linthresh=threshold, linscale=0.5)
    panel.set_ylim(-0.1 * threshold, 1.5)


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve of a `Panel`.

    Attributes:
      label: `str`; empty for none.
      x, y: numbers.
      errors: standard errors of `y`, each a number or `None`; or `None`.
    """

    label: str
    x: list
    y: list
    errors: list | None = None


@dataclasses.dataclass(frozen=True)
class Panel:
    """Curves with common axes.

    Attributes:
      title: `str`.
      x_label, y_label: `str`.
      lines: list of at most six `Line`s.
      log_x: `bool`, whether the horizontal axis is logarithmic.
      ticks: numbers on the horizontal axis, or `None` for a choice.
      zero: `bool`, whether a line marks 0, as it should where differences are drawn.
    """

    title: str
    x_label: str
    y_label: str
    lines: list
    log_x: bool = False
    ticks: list | None = None
    zero: bool = False


def panels(contents, path, *, heading=None):
    """Draws panels of curves beside each other, three in a row (of four two), with bars of one standard error.

    Args:
      contents: list of `Panel`s.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      heading: `str` or `None`.

    Raises:
      ValueError: if there is no panel.

    Example:

    ```python
    line = Line("joint", [0.1, 1, 10], [0.04, 0.03, 0.02], [0.001, 0.001, 0.001])
    panels([Panel("test error", "SNR", "MSE", [line], log_x=True)], "figure.png")
    ```
    """
    if not contents:
        raise ValueError("no panels, nothing to draw")
    columns = 2 if len(contents) == 4 else min(3, len(contents))
    rows = math.ceil(len(contents) / columns)
    figure = _figure.figure(4.4 * columns, 3.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for content, panel in zip(contents, axes):
        if content.zero:
            panel.axhline(0, color=GREY, linestyle="--", linewidth=1)
        for line, colour, marker in zip(content.lines, COLOURS, "osD^vx", strict=False):
            errors = [error or 0.0 for error in line.errors or [None] * len(line.y)]
            style = {"marker": marker, "markersize": 4, "linewidth": 1.2, "capsize": 2, "color": colour}
            panel.errorbar(line.x, line.y, errors, label=line.label or None, **style)
        if content.log_x:
            panel.set_xscale("log")
        if content.ticks is not None:
            panel.set_xticks(list(content.ticks), [f"{tick:g}" for tick in content.ticks])
            panel.minorticks_off()
        panel.set_title(content.title, fontsize=11)
        panel.set_xlabel(content.x_label)
        panel.set_ylabel(content.y_label)
        panel.ticklabel_format(axis="y", useOffset=False)
        _figure.tidy(panel)
        if any(line.label for line in content.lines):
            panel.legend(frameon=False, fontsize=9)
    for panel in axes[len(contents) :]:
        panel.set_visible(False)
    if heading:
        figure.suptitle(heading, fontsize=10)
    _figure.save(figure, path)


def heat_maps(maps, path, *, rows, columns, labels, heading=None):
    """Draws tables of numbers as colours beside each other, on one scale, with the numbers written in them.

    Args:
      maps: `dict` from a title to numbers `[len(rows), len(columns)]`.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      rows: `str`s to the left of the rows.
      columns: `str`s below the columns.
      labels: `(str, str)`: what the rows and the columns are.
      heading: `str` or `None`.

    Raises:
      ValueError: if there is no table, or a table has another shape.

    Example:

    ```python
    heat_maps({"joint": [[0.1, 0.2]]}, "figure.png", rows=["1"], columns=["0.1", "1"], labels=("SNR", "beta"))
    ```
    """
    if not maps:
        raise ValueError("no maps, nothing to draw")
    tables = {title: np.asarray(numbers, np.float64) for title, numbers in maps.items()}
    for title, table in tables.items():
        if table.shape != (len(rows), len(columns)):
            raise ValueError(f"{title}: expected numbers of shape {(len(rows), len(columns))}, got {table.shape}")
    every = np.concatenate([table.ravel() for table in tables.values()])
    low, high = np.nanmin(every), np.nanmax(every)
    figure = _figure.figure(len(tables) * (1.6 + 0.75 * len(columns)) + 0.8, 1.5 + 0.45 * len(rows))
    axes = figure.subplots(1, len(tables), squeeze=False)[0]
    for panel, (title, table) in zip(axes, tables.items()):
        picture = panel.imshow(table, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        for row, column in np.ndindex(table.shape):
            dark = table[row, column] < (low + high) / 2
            colour = "white" if dark else "black"
            panel.text(column, row, f"{table[row, column]:.4g}", ha="center", va="center", color=colour, fontsize=8)
        panel.set_xticks(range(len(columns)), columns)
        panel.set_yticks(range(len(rows)), rows)
        panel.set_ylabel(labels[0])
        panel.set_xlabel(labels[1])
        panel.set_title(title, fontsize=11)
    figure.colorbar(picture, ax=list(axes))
    if heading:
        figure.suptitle(heading, fontsize=12)
    _figure.save(figure, path)
