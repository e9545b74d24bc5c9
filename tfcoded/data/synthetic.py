"""Data sets that need no files: images of a known law, and draws without content."""

import functools

import numpy as np

from tfcoded.data.dataset import Dataset
from tfcoded.data.registry import NORMAL

SHAPE = (32, 32, 3)
EIGENVALUES = 20 * 0.8 ** np.arange(32.0)  # of the covariance of synthetic images, in squared intensities


def load(name):
    """Draws a data set; the same one every time.

    Args:
      name: `str`, "synthetic": 2,000 training and 500 test images of `signals`, 32x32x3; or "normal": 50,000 and
        10,000 draws that carry nothing, `uint8` of shape [0], for a model that draws what it sends.

    Returns:
      A `tfcoded.data.Dataset` without labels.

    Example:

    ```python
    load("normal").train_images.shape   # (50000, 0)
    ```
    """
    if name == NORMAL:
        train, test = (np.zeros([count, 0], np.uint8) for count in (50000, 10000))
    else:
        train, test = (_quantised(signals(count, seed)) for count, seed in ((2000, 1), (500, 2)))
    return Dataset(name, train, None, test, None)


@functools.lru_cache(maxsize=1)
def basis():
    """Directions in which synthetic images vary, `np.float64` `[3072, 32]` with orthonormal columns."""
    return np.linalg.qr(np.random.default_rng(0).standard_normal([np.prod(SHAPE), len(EIGENVALUES)]))[0]


def signals(count, seed):
    """Normal images `0.5 + U sqrt(diag(lambda)) g`, whose rate-distortion function is known in closed form.

    Args:
      count: `int`.
      seed: `int`, of the draws; the law is the same for all.

    Returns:
      `[count, 32, 32, 3]`, `np.float32`, not clipped: the synthetic data set is this clipped to [0, 1].

    Example:

    ```python
    signals(4, seed=0).mean()   # about 0.5
    ```
    """
    g = np.random.default_rng(seed).standard_normal([count, len(EIGENVALUES)])
    x = 0.5 + (g * np.sqrt(EIGENVALUES)) @ basis().T
    return x.reshape([count, *SHAPE]).astype(np.float32)


def _quantised(intensities):
    return np.rint(255 * np.clip(intensities, 0, 1)).astype(np.uint8)
