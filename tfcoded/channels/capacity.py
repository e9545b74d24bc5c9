"""Capacities in bits per channel use and signal-to-noise ratios (of powers, linear), in closed form.

NumPy float64: for reports, not for gradients. `measured_snr` alone is of tensors.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcoded.channels.channel import positive, probability


def gaussian_capacity(snr: npt.ArrayLike) -> np.float64 | np.ndarray:
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


def binary_symmetric_capacity(p_keep: npt.ArrayLike) -> np.float64 | np.ndarray:
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


def erasure_capacity(erase_prob: npt.ArrayLike, inner_capacity: npt.ArrayLike = 1.0) -> np.float64 | np.ndarray:
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


def binary_entropy(p: npt.ArrayLike) -> np.float64 | np.ndarray:
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


def snr_from_decibel(decibel: npt.ArrayLike) -> np.float64 | np.ndarray:
    """Linear power ratio `10^(dB / 10)`.

    ```python
    snr_from_decibel(0.0)   # 1.0
    ```

    Args:
      decibel: a number or an array.

    Returns:
      The ratio, float64.
    """
    return 10.0 ** (np.asarray(decibel, np.float64) / 10)


def snr_to_decibel(snr: npt.ArrayLike) -> np.float64 | np.ndarray:
    """Decibels of a linear power ratio, `10 log10(snr)`.

    Args:
      snr: a positive number or array.

    Returns:
      Decibels, float64.

    Raises:
      ValueError: if a ratio is not positive.
    """
    return 10 * np.log10(positive(snr, "snr"))


def binary_symmetric_snr(p_keep: npt.ArrayLike, p_one: npt.ArrayLike | None = None) -> np.float64 | np.ndarray:
    """Signal-to-noise ratio of a binary symmetric channel whose bits are read as -1 and +1.

    The output is `z = (2p-1) y + e` with an error `e` of power `4p(1-p)` that is uncorrelated with `y`, hence

    ```none
    snr = (2p-1)^2 / (4p(1-p))
    ```

    whatever the bits' distribution. (Equation 22 of the paper is no ratio of powers: its denominator is
    always negative.) If only the part of `y` that varies is to count as the signal, give `p_one = P(y = 1)`.

    ```python
    binary_symmetric_snr(0.5)   # 0.0
    ```

    Args:
      p_keep: probability that a bit arrives as it was sent, in [0, 1].
      p_one: `None`, or the probability of a one: multiplies by `4 p_one (1 - p_one)`.

    Returns:
      The ratio, float64; infinite for a channel that never, or always, flips, but 0 where nothing varies.

    Raises:
      ValueError: if a probability is outside of [0, 1].
    """
    p = probability(p_keep, "p_keep")
    varying = 1.0
    if p_one is not None:
        p_one = probability(p_one, "p_one")
        varying = 4 * p_one * (1 - p_one)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = (2 * p - 1) ** 2 * varying / (4 * p * (1 - p))
    return np.where(np.asarray(varying) == 0, 0.0, snr)[()]


def keep_probability(snr: npt.ArrayLike) -> np.float64 | np.ndarray:
    """The `p_keep >= 1/2` of a binary symmetric channel with this signal-to-noise ratio.

    The inverse of `binary_symmetric_snr`: `(1 + sqrt(snr / (1 + snr))) / 2`.

    Args:
      snr: linear power ratio, zero or positive.

    Returns:
      The probability, float64.

    Raises:
      ValueError: if a ratio is negative.
    """
    snr = np.asarray(snr, np.float64)
    if not np.all(snr >= 0):
        raise ValueError(f"snr must be zero or positive, got {snr}")
    inverse = np.divide(1.0, snr, out=np.full_like(snr, np.inf), where=snr > 0)
    return (1 + 1 / np.sqrt(1 + inverse)) / 2


def measured_snr(y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """Ratio of the power that was sent to the power of what the channel added, over all symbols.

    What to watch where the power is not normalised (`GaussianChannel(power="none")`).

    ```python
    sent = channel(mu, log_sig, seed=seed)
    measured_snr(sent["y"], sent["z"])
    ```

    Args:
      y: what was sent, float tensor of any shape.
      z: what was received, same shape and dtype.

    Returns:
      Scalar tensor, `sum(y^2) / sum((z - y)^2)`.
    """
    return tf.reduce_sum(tf.square(y)) / tf.reduce_sum(tf.square(z - y))
