"""The mean of a sampled quantity with its standard error."""

import math
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A measured number.

    Attributes:
      value: `float`, the mean of the samples.
      standard_error: `float`, the standard deviation of that mean; `None` where it is unknown, as for one
        sample.
    """

    value: float
    standard_error: float | None


def estimate(samples):
    """Mean and standard error `std / sqrt(n)` of independent samples, `std` with `n - 1` in its denominator.

    Args:
      samples: array of any shape, at least one number; every element counts as one sample. `bool` is read as
        0 and 1.

    Returns:
      An `Estimate`, computed in float64.

    Raises:
      ValueError: if there are no samples.

    Example:

    ```python
    estimate([1.0, 3.0])  # Estimate(value=2.0, standard_error=1.0)
    ```
    """
    samples = np.asarray(samples, np.float64).ravel()
    if samples.size == 0:
        raise ValueError("an estimate needs at least one sample, got none")
    value = float(samples.mean())
    if samples.size == 1 or not math.isfinite(value):
        return Estimate(value, None)
    return Estimate(value, float(samples.std(ddof=1) / math.sqrt(samples.size)))
