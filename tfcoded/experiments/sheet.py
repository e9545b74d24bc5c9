"""Figure 7: images as they arrive, over the number of bands."""

import numpy as np
import tensorflow as tf

from tfcoded import pictures
from tfcoded.experiments.report import Result
from tfcoded.metrics import protocol

COLUMNS = 10
_PURPOSE = 0xF7  # of random numbers


def received(cells, shop, settings):
    """Originals, and below them for each system what arrives with 0 .. T bands.

    Args:
      cells: `tfcoded.experiments.plan.Cell`s, one for each system.
      shop: `tfcoded.experiments.work.Workshop`.
      settings: `tfcoded.experiments.plan.Settings`.

    Returns:
      `tfcoded.experiments.report.Result`.
    """
    images = shop.test_images[:COLUMNS]
    originals = np.asarray(protocol.as_float(images))
    bands = cells[0].config.channel.bands
    drawn, titles, rows = [originals], ["original"], []
    for cell in cells:
        codec = shop.codec(cell)
        seed = [protocol.seed_for(cell.seed, _PURPOSE, number) for number in range(3)]
        sent = codec.transmit(tf.constant(originals), seed[0])["symbols"]
        arrived = codec.corrupt(sent, seed[1])["symbols"]
        for width in range(bands + 1):
            shown = codec.receive(arrived, tf.constant(width), seed[2])["images"].numpy()
            drawn.append(shown)
            titles.append(f"{cell.label}, B = {width}")
            rows.append({"decoder": cell.label, "bands": width, "mse": float(np.mean((shown - originals) ** 2))})
    columns = (("decoder", "decoder"), ("bands", "B"), ("mse", "MSE of these images"))
    sheet = np.concatenate(drawn)

    def draw(path):
        heading = f"{title}; B of {bands} bands arrive, the others are drawn from the prior"
        pictures.sheet(sheet, len(originals), path, row_titles=titles, heading=heading)

    title = f"Figure 7: the first {len(originals)} test images as they are received"
    shown = f"seed {cells[0].seed}, one draw of the encoder, the channel and what is filled in, the same at every B"
    return Result(title, columns, rows, [], {"figure.png": draw}, shown=shown)
