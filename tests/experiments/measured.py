"""Invented measurements of an experiment's cells."""

import numpy as np

from tfcoded.experiments.quantity import Quantity
from tfcoded.experiments.records import Record

IMAGES = 400
HARD = 1 + 0.5 * np.sin(np.arange(IMAGES))  # some images are harder, for every system


def record(metrics, noise=0.001, seed=0, validation=None):
    """A `Record` of cells whose metrics have these means over the images, up to noise.

    Args:
      metrics: `dict` from name to `float`.
      noise: `float`, standard deviation over images, as a part of the mean.
      seed: `int`, of the noise.
      validation: `dict` from name to `float`; default: as the test images.
    """
    rng = np.random.default_rng(seed)
    quantities = {
        name: Quantity.mean(value * HARD / HARD.mean() * (1 + noise * rng.normal(size=IMAGES)))
        for name, value in metrics.items()
    }
    return Record(quantities, dict(metrics if validation is None else validation), {})
