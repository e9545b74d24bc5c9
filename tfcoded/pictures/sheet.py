"""A grid of images with texts, drawn pixel by pixel.

Every image pixel becomes a square of whole pixels, and every column is as wide as its widest title, so that nothing is
blurred and no texts meet.
"""

import functools
import io
import math
import os
from typing import NamedTuple

import numpy as np

from tfcoded.utils.files import write_atomically

CELL = 112  # an image is magnified by the largest whole number that keeps its height within this many pixels
GAP = 6
MARGIN = 16
TEXT = 13  # height of the letters' em square, in pixels
LINE = 17
INK = (32, 32, 32)
PAPER = (255, 255, 255)


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

    grid = _grid(pixels.shape[1:3], rows, columns, titles or (), column_titles or (), row_titles or (), heading)
    canvas = Image.new("RGB", grid.size, PAPER)
    draw = ImageDraw.Draw(canvas)
    centres = [left + width // 2 for left, width in zip(grid.lefts, grid.widths)]
    if heading:
        _write(draw, MARGIN, MARGIN, heading, "left")
    for column, title in enumerate(column_titles or ()):
        _write(draw, centres[column], grid.top - GAP - _lines(title) * LINE, title, "centre")
    for row, title in enumerate(row_titles or ()):
        middle = grid.top + row * grid.pitch + (grid.height - _lines(title) * LINE) // 2
        _write(draw, grid.lefts[0] - 2 * GAP, middle, title, "right")
    for index, image in enumerate(pixels):
        row, column = divmod(index, columns)
        x = grid.lefts[column] + (grid.widths[column] - grid.width) // 2
        y = grid.top + row * grid.pitch
        canvas.paste(Image.fromarray(image.repeat(grid.scale, axis=0).repeat(grid.scale, axis=1)), (x, y))
        if titles:
            _write(draw, centres[column], y + grid.height + GAP // 2, titles[index], "centre")

    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    write_atomically(path, buffer.getvalue())
    return canvas.size


class _Grid(NamedTuple):
    """Where everything of a sheet is, in pixels.

    Attributes:
      scale: side of the square that a pixel of an image becomes.
      width, height: of a magnified image.
      widths, lefts: of each column, the width and the left edge.
      top: of the first row of images.
      pitch: from one row of images to the next.
      size: `(width, height)` of the sheet.
    """

    scale: int
    width: int
    height: int
    widths: list
    lefts: list
    top: int
    pitch: int
    size: tuple


def _grid(image, rows, columns, titles, column_titles, row_titles, heading):
    """The `_Grid` of images of `image = (height, width)` pixels with these texts."""
    scale = max(1, CELL // image[0])
    height, width = image[0] * scale, image[1] * scale
    widths = [width] * columns
    for index, title in (*enumerate(titles), *enumerate(column_titles)):
        widths[index % columns] = max(widths[index % columns], _text_width(title))
    title_lines = max(map(_lines, titles), default=0)
    above = (_lines(heading) if heading else 0, max(map(_lines, column_titles), default=0))
    top = MARGIN + sum(lines * LINE + GAP for lines in above if lines)
    pitch = height + GAP + (title_lines * LINE + GAP if title_lines else 0)
    left = MARGIN + (max(map(_text_width, row_titles)) + 2 * GAP if row_titles else 0)
    lefts = [left + sum(widths[:column]) + column * GAP for column in range(columns)]
    right = max(lefts[-1] + widths[-1], MARGIN + (_text_width(heading) if heading else 0))
    return _Grid(scale, width, height, widths, lefts, top, pitch, (right + MARGIN, top + rows * pitch - GAP + MARGIN))


def _write(draw, x, y, text, align):
    """Writes lines of text; `x` is their left end, centre or right end, as `align` says."""
    for number, line in enumerate(text.split("\n")):
        offset = {"left": 0, "centre": 0.5, "right": 1}[align] * _text_width(line)
        draw.text((x - round(offset), y + number * LINE), line, font=_font(), fill=INK)


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
