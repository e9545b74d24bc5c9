"""Figures of matplotlib that need no display, in the colours of this package."""

import io

from tfcoded.utils.files import write_atomically

BLUE, ORANGE, GREY = "#1f5fa8", "#d9731a", "#888888"
COLOURS = (BLUE, ORANGE, "#3c8d40", "#8c4f9f", GREY, "#b03030")


def figure(width, height):
    """An empty figure of that many inches that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(made)
    return made


def legend(figure, lines, labels, columns, heading):
    """A legend above all panels, under the heading if there is one; a title of the figure would lie on it."""
    made = figure.legend(
        lines,
        labels,
        frameon=False,
        fontsize=9,
        ncols=columns,
        loc="outside upper left",
        title=heading,
        alignment="left",
    )
    made.get_title().set_fontsize(12)


def tidy(panel):
    """Gives axes a faint grid, and takes the upper and the right edge away."""
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def save(figure, path):
    """Writes the figure as PNG, atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_atomically(path, buffer.getvalue())
