"""Curves of what a training recorded after every epoch."""

import itertools
import math

import numpy as np

from tfcoded.pictures import _figure

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
    figure = _figure.figure(4.2 * columns, 3.2 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = list(itertools.product(("-", "--", ":"), _figure.COLOURS))
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
        _figure.tidy(panel)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    drawn = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    _figure.legend(figure, drawn.values(), drawn, 2 * columns, heading)
    _figure.save(figure, path)
