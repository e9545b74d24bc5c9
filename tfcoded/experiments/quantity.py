"""Measured numbers that keep how they change without a part of the images, so that differences have an error too."""

import math

import numpy as np

BLOCKS = 20  # the images are left out a twentieth at a time


class Quantity:
    """A number measured on images, and the same number without each block of these images.

    Two systems that are measured on the same images err in the same direction: a hard image is hard for both. The
    standard error of their difference is therefore far below that of either, and it is what the blocks tell (the
    delete-a-group jackknife).

    Args:
      value: `float`.
      replicates: BLOCKS numbers, the value without each block of images, or `None` where they are not known.
      error: the standard error where there are no replicates, `float`, or `None`. What is computed of it has none.

    Example:

    ```python
    joint, separate = Quantity.mean(errors), Quantity.mean(others)
    gap = combined(lambda a, b: (b - a) / b, joint, separate)
    gap.value, gap.standard_error
    ```

    #### References
    Kott, "The delete-a-group jackknife", Journal of Official Statistics 17, 2001.
    """

    def __init__(self, value, replicates=None, error=None):
        self.value = float(value)
        self.replicates = None if replicates is None else np.asarray(replicates, np.float64)
        self._error = error

    @classmethod
    def mean(cls, samples):
        """The mean of samples `[N]`, one for each image; without replicates if there are fewer than two blocks of them."""
        samples = np.asarray(samples, np.float64)
        if len(samples) < BLOCKS:
            return cls(samples.mean())
        blocks = np.array_split(samples, BLOCKS)
        sums, counts = np.array([block.sum() for block in blocks]), np.array([len(block) for block in blocks])
        return cls(samples.mean(), (sums.sum() - sums) / (len(samples) - counts))

    @property
    def standard_error(self):
        """`float`, over images, or `None`."""
        if self.replicates is None:
            return self._error
        count = len(self.replicates)
        return float(math.sqrt((count - 1) / count * np.sum((self.replicates - self.replicates.mean()) ** 2)))

    def __repr__(self):
        return f"Quantity({self.value:.6g} ± {self.standard_error})"


def combined(function, *quantities):
    """A function of several quantities, as a `Quantity`.

    Args:
      function: of as many `float`s, gives a `float`.
      *quantities: `Quantity`s, measured on the same images.
    """
    value = function(*(quantity.value for quantity in quantities))
    if any(quantity.replicates is None for quantity in quantities):
        return Quantity(value)
    return Quantity(value, [function(*numbers) for numbers in zip(*(quantity.replicates for quantity in quantities))])


def average(quantities):
    """The mean over seeds as a `Quantity`, whose replicates leave out the same images for every seed."""
    return combined(lambda *numbers: sum(numbers) / len(numbers), *quantities)


def over_seeds(quantities):
    """Mean of one quantity per seed, and its standard error.

    Args:
      quantities: `Quantity`s, one for each seed.

    Returns:
      `(mean, standard error)`: the error is that over seeds, or of a single seed that over images (perhaps `None`).
    """
    values = np.array([quantity.value for quantity in quantities])
    if len(values) == 1:
        return float(values[0]), quantities[0].standard_error
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
