"""Sheets of images, learning curves, reliability diagrams, curves over channels and heat maps as PNG files.

Sheets are drawn pixel by pixel: every image pixel becomes a square of whole pixels, and every column is as
wide as its widest title, so that nothing is blurred and no texts meet.
"""

import dataclasses
import functools
import io
import itertools
import math
import os

import numpy as np

from tfcoded.utils.files import write_atomically

CELL = 112  # an image is magnified by the largest whole number that keeps its height within this many pixels
GAP = 6
MARGIN = 16
TEXT = 13  # height of the letters' em square, in pixels
LINE = 17
INK = (32, 32, 32)
PAPER = (255, 255, 255)
_COLOURS = ("#1f5fa8", "#d9731a", "#3c8d40", "#8c4f9f", "#888888", "#b03030")
_METRICS = {  # of a history: what they are, and their unit
    "elbo": ("ELBO", "nats per image"),
    "iwae": ("IWAE bound", "nats per image"),
    "vr_iwae": ("VR-IWAE bound", "nats per image"),
    "bound": ("bound", "nats per image"),
    "reconstruction": ("reconstruction", "nats per image"),
    "kl": ("KL divergence", "nats per image"),
    "kl_v": ("KL divergence of auxiliary latents", "nats per image"),
    "mse": ("mean squared error", "per value"),
    "rate": ("rate", "bits per image"),
}
_QUESTIONS = {  # of calibration: whose probability is the confidence, and what is right
    "words": ("posterior probability of the likeliest word", "share of words that were sent"),
    "bits": ("posterior probability of a bit's likelier value", "share of values that were sent"),
    "reconstruction": ("posterior probability of the likeliest word", "share that show the true class"),
}
_RARE = 0.02  # error rates below this are drawn on a logarithmic axis


def sheet(images, columns, path, titles=None, *, column_titles=None, row_titles=None, heading=None):
    """Draws images in a grid, row by row from the top left.

    Args:
      images: `[N, H, W, C]` or `[N, H, W]` with C 1 or 3; uint8, or floating point in [0, 1] (clipped to it).
      columns: `int`, number of images in a row.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      titles: `N` `str`s or `None`: written below each image, lines separated by newlines.
      column_titles: `columns` `str`s or `None`: written above the columns.
      row_titles: one `str` per row or `None`: written to the left of the rows.
      heading: `str` or `None`: written above everything.

    Returns:
      `(width, height)` of the sheet in pixels.

    Raises:
      ValueError: if there is nothing to draw, or the numbers of images and titles do not fit.

    Example:

    ```python
    sheet(model.generate(64, [0, 1])["images"], 8, "samples.png", heading="64 samples")
    ```
    """
    from PIL import Image, ImageDraw

    pixels = _pixels(images)
    count = len(pixels)
    if count == 0 or columns < 1:
        raise ValueError(f"nothing to draw: {count} images in {columns} columns")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    for name, texts, expected in (
        ("titles", titles, count),
        ("column_titles", column_titles, columns),
        ("row_titles", row_titles, rows),
    ):
        if texts is not None and len(texts) != expected:
            raise ValueError(f"{name}: expected {expected} for {count} images in {columns} columns, got {len(texts)}")

    scale = max(1, CELL // pixels.shape[1])
    height, width = pixels.shape[1] * scale, pixels.shape[2] * scale
    widths = [width] * columns
    for index, title in enumerate(titles or ()):
        widths[index % columns] = max(widths[index % columns], _text_width(title))
    for column, title in enumerate(column_titles or ()):
        widths[column] = max(widths[column], _text_width(title))
    title_lines = max((_lines(title) for title in titles or ()), default=0)
    column_lines = max((_lines(title) for title in column_titles or ()), default=0)
    heading_lines = _lines(heading) if heading else 0

    left = MARGIN + (max(map(_text_width, row_titles)) + 2 * GAP if row_titles else 0)
    top = MARGIN + sum(lines * LINE + GAP for lines in (heading_lines, column_lines) if lines)
    pitch = height + GAP + (title_lines * LINE + GAP if title_lines else 0)
    lefts = [left + sum(widths[:column]) + column * GAP for column in range(columns)]
    total_width = max(lefts[-1] + widths[-1], MARGIN + (_text_width(heading) if heading else 0)) + MARGIN
    total_height = top + rows * pitch - GAP + MARGIN

    canvas = Image.new("RGB", (total_width, total_height), PAPER)
    draw = ImageDraw.Draw(canvas)

    def write(x, y, text, align):
        for number, line in enumerate(text.split("\n")):
            offset = {"left": 0, "centre": 0.5, "right": 1}[align] * _text_width(line)
            draw.text((x - round(offset), y + number * LINE), line, font=_font(), fill=INK)

    if heading:
        write(MARGIN, MARGIN, heading, "left")
    for column, title in enumerate(column_titles or ()):
        lines = _lines(title)
        write(lefts[column] + widths[column] // 2, top - GAP - lines * LINE, title, "centre")
    for row, title in enumerate(row_titles or ()):
        write(left - 2 * GAP, top + row * pitch + (height - _lines(title) * LINE) // 2, title, "right")
    for index, image in enumerate(pixels):
        row, column = divmod(index, columns)
        x = lefts[column] + (widths[column] - width) // 2
        y = top + row * pitch
        canvas.paste(Image.fromarray(image.repeat(scale, axis=0).repeat(scale, axis=1)), (x, y))
        if titles:
            write(lefts[column] + widths[column] // 2, y + height + GAP // 2, titles[index], "centre")

    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    write_atomically(path, buffer.getvalue())
    return canvas.size


def curves(history):
    """What there is to see of a training's history: `learning_curves` draws it.

    Args:
      history: `dict` from a name to its values, one per epoch, as history.json holds it.

    Returns:
      `dict`, without what is no metric, or another one in other units; `epoch` stays. Empty if no metric is left.
    """
    hidden = ("epoch", "seconds", "loss", "sse")
    metrics = {name: values for name, values in history.items() if name.removeprefix("val_") not in hidden}
    return {"epoch": history["epoch"], **metrics} if metrics else {}


def learning_curves(history, path, heading=None):
    """Draws each metric over the epochs, of the test images with that of the training images.

    Args:
      history: `dict` from a metric's name to its values, one per epoch, as Keras' `History.history`, and from `epoch`
        to the epochs, which may be missing if they begin with 1; names of metrics of the test images begin with `val_`.
        `None` and NaN leave a gap.
      path: `str` or `os.PathLike` of the PNG, written atomically.
      heading: `str`, such as the model's name, or `None`.

    Raises:
      ValueError: if there is no metric.

    Example:

    ```python
    learning_curves({"elbo": [-310.0, -270.0], "val_elbo": [-280.0, -268.0]}, "learning_curves.png", "coded_8_240")
    ```
    """
    training = {name: values for name, values in history.items() if not name.startswith("val_")}
    _over_epochs({"training data": training, "test data": _validation(history)}, path, heading)


def compared_curves(histories, path):
    """Draws each metric of the test images over the epochs, with a curve for every model.

    Where models were trained for different numbers of epochs, the legend says for how many each was.

    Args:
      histories: `dict` from a model's name to its history, see `learning_curves`; models need not have all metrics.
      path: `str` or `os.PathLike` of the PNG, written atomically.

    Raises:
      ValueError: if there is no metric of test images.

    Example:

    ```python
    compared_curves({"uncoded_8": {"val_elbo": [-290.1]}, "coded_8_240": {"val_elbo": [-254.5]}}, "curves.png")
    ```
    """
    last = {model: max(_epochs(history), default=0) for model, history in histories.items()}
    lines = {model: _validation(history) for model, history in histories.items()}
    if len(set(last.values())) > 1:
        lines = {f"{model}, {last[model]} epoch{'s'[: last[model] != 1]}": line for model, line in lines.items()}
    _over_epochs(lines, path, "test images during training")


def _epochs(history):
    """The epochs of a history."""
    count = max((len(values) for values in history.values()), default=0)
    return history.get("epoch", range(1, count + 1))


def _validation(history):
    """The validation metrics under the names of the training metrics, and the epochs."""
    metrics = {name.removeprefix("val_"): values for name, values in history.items() if name.startswith("val_")}
    return metrics | ({"epoch": history["epoch"]} if "epoch" in history else {})


def _described(name):
    """A metric of a history in words, and its unit."""
    if name in _METRICS:
        return _METRICS[name]
    part, _, last = name.rpartition("_")
    if part == "kl":  # of a branch
        return f"KL divergence of {last}", "nats per image"
    if last in _METRICS:
        title, unit = _METRICS[last]
        return f"{part.replace('_', ' ')}: {title}", unit
    return name.replace("_", " "), ""


def _over_epochs(lines, path, heading=None):
    """A panel for each metric, in it a line for each of `lines`, a `dict` from a label to a history."""
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for history in lines.values() for name in history if name != "epoch"))
    if not names:
        raise ValueError("history holds no metric, nothing to draw")
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = _figure(4.2 * columns, 3.2 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = list(itertools.product(("-", "--", ":"), _COLOURS))
    for panel, name in zip(panels, names):
        shown = set()
        for (label, history), (style, colour) in zip(lines.items(), itertools.cycle(styles)):
            if name in history:
                values = np.array([np.nan if value is None else value for value in history[name]], np.float64)
                epochs = _epochs(history)
                marker = "o" if len(values) <= 20 else None  # one epoch alone would draw no line
                panel.plot(epochs, values, style, label=label, color=colour, marker=marker, markersize=3.5)
                shown.update(epochs)
        title, unit = _described(name)
        panel.set_title(title, fontsize=11)
        panel.set_ylabel(unit)
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(shown) == 1:
            (epoch,) = shown
            panel.set_xlim(epoch - 0.5, epoch + 0.5)
            panel.set_xticks([epoch])
        panel.ticklabel_format(axis="y", useOffset=False)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    drawn = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    _legend(figure, drawn.values(), drawn, 2 * columns, heading)
    _save(figure, path)


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
    figure = _figure(3.8 * len(bins), 4.7)
    rows = figure.subplots(2, len(bins), sharex=True, squeeze=False, gridspec_kw={"height_ratios": [3, 1]})
    for name, found, panel, histogram in zip(bins, bins.values(), *rows):
        filled = found.count > 0
        share = found.count / found.count.sum()
        x, y = found.confidence[filled], found.accuracy[filled]
        panel.plot([0, 1], [0, 1], color="#888888", linestyle="--", linewidth=1, label="as often right as probable")
        panel.vlines(x, x, y, color="#d9731a", alpha=0.35, linewidth=5)
        bars = np.clip([y - found.low[filled], found.high[filled] - y], 0, None)
        panel.errorbar(x, y, bars, color="#1f5fa8", fmt="o-", markersize=4, linewidth=1, capsize=2, label="measured")
        error = np.sum(share[filled] * np.abs(y - x))
        confidence, right = _QUESTIONS.get(name, ("confidence", "accuracy"))
        panel.set_title(f"{name.replace('_', ' ')}: calibration error {error:.3f}", fontsize=11)
        panel.set_ylabel(right)
        panel.set_ylim(-0.03, 1.03)
        histogram.stairs(share, found.edges, fill=True, color="#1f5fa8", alpha=0.6)
        histogram.set_ylabel("frequency")
        histogram.set_xlabel(confidence)
        histogram.set_xlim(-0.03, 1.03)
        for axes in (panel, histogram):
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
    _legend(figure, *rows[0][0].get_legend_handles_labels(), 2, heading)
    _save(figure, path)


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
    x = [row["parameter"] for row in rows]
    blue, orange, grey = "#1f5fa8", "#d9731a", "#888888"
    crosses = {"linestyle": "none", "marker": "x", "color": "black"}
    panels = {
        "error rate": {
            "wer": {"label": "words", "color": blue},
            "ber": {"label": "bits", "color": orange},
            "wer_images": {"label": "words of images", **crosses},
        },
        "PSNR of received images, dB": {"psnr": {"label": "received", "color": blue}},
        "SSIM of received images": {"ssim": {"label": "received", "color": blue}},
        "semantic accuracy": {"accuracy": {"label": "received", "color": blue}},
    }
    panels = {title: lines for title, lines in panels.items() if set(lines) <= set(rows[0]["metrics"])}
    columns = math.ceil((1 + len(panels)) / 2)
    figure = _figure(4.2 * columns, 6.4)
    first, *others, last = figure.subplots(2, columns, squeeze=False).ravel()
    first.plot(*capacity, color=blue, label="capacity")
    first.axhline(limit[1], color=orange, linewidth=1.2, label=f"rate {limit[1]:.3g}")
    first.plot(*limit, "D", color=orange, markersize=5)
    first.set_title("bits per bit sent", fontsize=11)
    used = [first]
    for panel, (title, lines) in zip([*others, last], panels.items()):
        used.append(panel)
        for metric, style in lines.items():
            values = [row["metrics"][metric] for row in rows]
            panel.errorbar(
                x,
                [value.value for value in values],
                [value.standard_error or 0.0 for value in values],
                **{"marker": "o", "markersize": 4, "linewidth": 1.2, "capsize": 2, **style},
            )
            quiet = noiseless.get(f"{metric}_noiseless")
            if quiet is not None:
                panel.axhline(quiet.value, color=grey, linestyle="--", linewidth=1, label="without channel")
        panel.set_title(title, fontsize=11)
    first.set_ylim(-0.03, 1.03)
    rates = [row["metrics"][metric].value for row in rows for metric in panels["error rate"]]
    quiet = [f"{metric}_noiseless" for metric in panels["error rate"]]
    rates += [noiseless[name].value for name in quiet if name in noiseless]
    smallest = min((rate for rate in rates if rate > 0), default=1)
    if smallest < _RARE:
        threshold = 10.0 ** math.floor(math.log10(smallest))
        used[1].set_yscale("symlog", linthresh=threshold, linscale=0.5)
        used[1].set_ylim(-0.1 * threshold, 1.5)
    else:
        used[1].set_ylim(-0.03, 1.03)
    for panel in used:
        panel.axvline(limit[0], color=grey, linestyle=":", label=f"capacity = rate: {limit[0]:.3g}")
        panel.set_xlabel(parameter)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=8)
    if last is not used[-1]:
        last.set_visible(False)
    if heading:
        figure.suptitle(heading, fontsize=12)
    _save(figure, path)


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
    figure = _figure(4.4 * columns, 3.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for content, panel in zip(contents, axes):
        if content.zero:
            panel.axhline(0, color="#888888", linestyle="--", linewidth=1)
        for line, colour, marker in zip(content.lines, _COLOURS, "osD^vx", strict=False):
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
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        if any(line.label for line in content.lines):
            panel.legend(frameon=False, fontsize=9)
    for panel in axes[len(contents) :]:
        panel.set_visible(False)
    if heading:
        figure.suptitle(heading, fontsize=10)
    _save(figure, path)


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
    figure = _figure(len(tables) * (1.6 + 0.75 * len(columns)) + 0.8, 1.5 + 0.45 * len(rows))
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
    _save(figure, path)


def _legend(figure, lines, labels, columns, heading):
    """A legend above all panels, under the heading if there is one; a title of the figure would lie on it."""
    legend = figure.legend(
        lines,
        labels,
        frameon=False,
        fontsize=9,
        ncols=columns,
        loc="outside upper left",
        title=heading,
        alignment="left",
    )
    legend.get_title().set_fontsize(12)


def _figure(width, height):
    """An empty figure of that many inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())


def _pixels(images):
    """`images` as uint8 `[N, H, W]` or `[N, H, W, 3]`."""
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"expected images [N, H, W, 1] or [N, H, W, 3], got shape {images.shape}")
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return images[..., 0] if images.shape[-1] == 1 else images


@functools.cache
def _font():
    import matplotlib
    from PIL import ImageFont

    # matplotlib carries this font in its wheel; fonts of the system may not be there.
    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, TEXT)


def _text_width(text):
    return max(math.ceil(_font().getlength(line)) for line in text.split("\n"))


def _lines(text):
    return text.count("\n") + 1
