"""Rounding whose errors cancel: each number's error is made good by the numbers that are not rounded yet."""

import numpy as np

_BLOCK = 4096  # inputs whose errors are traded: the work grows with the cube, the memory with the square
_PANEL = 128
_DAMPING = 0.01  # of the mean second moment: directions that no input had are not free


class Moments:
    """Second moments `sum x x^T` of the rows `x : [n]` that a matrix `[n, m]` is multiplied with.

    They say which errors of the matrix are seen: an error `E` changes the products by `sum |x^T E|^2`.
    More than 4,096 inputs are divided into blocks, between which no correlation is kept.

    Example:

    ```python
    moments = Moments()
    moments.add(x)  # [N, n]
    integers = compensated(matrix, scale, moments, bits=4)
    moments.energy(scale * integers - matrix) / moments.energy(matrix)
    ```
    """

    def __init__(self):
        self._blocks = None
        self._factors = None

    def add(self, rows):
        """Adds rows, np.float32 `[N, n]`; the number n must not change."""
        if self._blocks is None:
            n = rows.shape[1]
            edges = np.linspace(0, n, -(-n // _BLOCK) + 1).astype(int)
            self._blocks = [(slice(a, b), np.zeros([b - a, b - a])) for a, b in zip(edges, edges[1:])]
        self._factors = None
        for part, moment in self._blocks:
            moment += rows[:, part].T @ rows[:, part]

    @property
    def inputs(self):
        """`int`, n."""
        return self._blocks[-1][0].stop

    def energy(self, matrix):
        """`sum |x^T matrix|^2` over all rows x that were added, a `float`; matrix is `[n, m]`.

        What products of different blocks have in common is left out.
        """
        return sum(float(np.vdot(matrix[part], moment @ matrix[part])) for part, moment in self._blocks)

    def factors(self):
        """For every block its `slice` and the upper triangular U with `U^T U = moment^-1`, np.float32."""
        if self._factors is None:
            self._factors = [(part, _inverse_factor(moment)) for part, moment in self._blocks]
        return self._factors


def compensated(matrix, scale, moments, bits):
    """Rounds a matrix to multiples of `scale` such that products with the rows of `moments` change little.

    The inputs are rounded one after the other. What rounding one changes in the products is taken back, as far as the
    inputs are correlated, by the numbers of the inputs to come, before they are rounded themselves.

    Args:
      matrix: np.float32 `[n, m]`.
      scale: np.float32 `[n, m]`; where it is 0 nothing can be stored, and what is lost there is made good too.
      moments: `Moments` of n inputs.
      bits: `int`, the integers are from -2^(bits - 1) to 2^(bits - 1) - 1.

    Returns:
      np.int16 `[n, m]`, so that `scale * result` is close to the matrix as far as can be seen.

    #### References

    [1]: Frantar, Ashkboos, Hoefler, Alistarh. GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
         Transformers. ICLR 2023. https://arxiv.org/abs/2210.17323
    [2]: Hassibi, Stork. Second order derivatives for network pruning: Optimal Brain Surgeon. NIPS 1992.
    """
    half = 2 ** (bits - 1)
    left = np.array(matrix, np.float32)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)
    result = np.zeros(matrix.shape, np.int16)
    for part, factor in moments.factors():
        numbers, steps, integers = left[part], safe[part], result[part]  # views
        restored = scale[part]  # 0 in groups of zeros, whatever is made good there
        for start in range(0, len(numbers), _PANEL):
            end = min(start + _PANEL, len(numbers))
            errors = np.zeros([end - start, numbers.shape[1]], np.float32)
            for i in range(start, end):
                integers[i] = np.clip(np.rint(numbers[i] / steps[i]), -half, half - 1)
                error = (numbers[i] - integers[i] * restored[i]) / factor[i, i]
                errors[i - start] = error
                numbers[i + 1 : end] -= np.outer(factor[i, i + 1 : end], error)
            numbers[end:] -= factor[start:end, end:].T @ errors  # what is further away, all at once
    return result


def _inverse_factor(moment):
    diagonal = np.arange(len(moment))
    damped = moment.copy()
    damped[diagonal, diagonal] += _DAMPING * np.mean(moment[diagonal, diagonal]) or 1.0  # of inputs that were all 0
    return np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)
