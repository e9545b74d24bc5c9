"""Capacities in bits per channel use, in closed form. NumPy float64: for reports, not for gradients."""

import numpy as np

from tfcoded.channels._checks import positive, probability


def gaussian_capacity(snr):
    """Capacity of a channel with additive Gaussian noise and limited power, `1/2 log2(1 + snr)`.

    ```python
    gaussian_capacity(1.0)    # 0.5
    gaussian_capacity(15.0)   # 2.0
    ```

    Args:
      snr: signal-to-noise ratio of the powers (not of the amplitudes, not in decibel), a number or an array.

    Returns:
      Bits per real symbol, float64.

    Raises:
      ValueError: if a ratio is not positive.
    """
    return 0.5 * np.log1p(positive(snr, "snr")) / np.log(2)


def binary_symmetric_capacity(p_keep):
    """Capacity of a binary symmetric channel, `1 - binary_entropy(p_keep)`.

    ```python
    binary_symmetric_capacity(0.5)    # 0.0
    binary_symmetric_capacity(0.11)   # 0.5, as for 0.89: flipping every bit changes nothing
    ```

    Args:
      p_keep: probability that a bit arrives as it was sent, a number or an array in [0, 1].

    Returns:
      Bits per bit sent, float64.

    Raises:
      ValueError: if a probability is outside of [0, 1].
    """
    return 1 - binary_entropy(probability(p_keep, "p_keep"))


def erasure_capacity(erase_prob, inner_capacity=1.0):
    """Capacity of a channel whose symbols are erased, `(1 - erase_prob) * inner_capacity`.

    The receiver knows which symbols were erased.

    ```python
    erasure_capacity(0.25)                          # 0.75, the binary erasure channel
    erasure_capacity(0.25, gaussian_capacity(1.0))  # 0.375
    ```

    Args:
      erase_prob: probability that a symbol is lost, in [0, 1].
      inner_capacity: bits per symbol of the channel that the other symbols pass.

    Returns:
      Bits per symbol sent, float64.

    Raises:
      ValueError: if a probability is outside of [0, 1].
    """
    return (1 - probability(erase_prob, "erase_prob")) * inner_capacity


def binary_entropy(p):
    """Entropy of a bit, `-p log2 p - (1-p) log2(1-p)`, and 0 at 0 and 1.

    Args:
      p: probability, a number or an array in [0, 1].

    Returns:
      Bits, float64.

    Raises:
      ValueError: if a probability is outside of [0, 1].
    """
    p = probability(p, "p")
    q = 1 - p
    # Where a probability is 0 its term is 0; the logarithm there is that of 1 instead.
    terms = p * np.log2(np.where(p > 0, p, 1)) + q * np.log2(np.where(q > 0, q, 1))
    return 0.0 - terms  # not -terms, which would be -0.0 where nothing is unknown
