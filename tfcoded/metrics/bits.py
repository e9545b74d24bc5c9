"""Errors between sent and received words, and the entropy of independent bits."""

import tensorflow as tf


def bit_errors(sent, received):
    """Fraction of wrong bits in each word; its mean over words is the bit error rate.

    Args:
      sent: `[..., M]`, integer bits 0 and 1.
      received: as `sent`.

    Returns:
      `[...]` tf.float32 in [0, 1].

    Raises:
      ValueError: if the shapes differ.

    Example:

    ```python
    bit_errors([[0, 1, 1, 0]], [[0, 1, 0, 0]])  # [0.25]
    ```
    """
    return tf.reduce_mean(tf.cast(_differs(sent, received), tf.float32), axis=-1)


def word_errors(sent, received):
    """1 for each word with at least one wrong bit, else 0; its mean over words is the word error rate.

    Args:
      sent: `[..., M]`, integer bits 0 and 1.
      received: as `sent`.

    Returns:
      `[...]` tf.float32, 0 or 1.

    Raises:
      ValueError: if the shapes differ.

    Example:

    ```python
    word_errors([[0, 1], [1, 1]], [[0, 1], [0, 0]])  # [0., 1.]
    ```
    """
    return tf.cast(tf.reduce_any(_differs(sent, received), axis=-1), tf.float32)


def entropy(probabilities):
    """Entropy of words of independent bits, in bits: the sum of the binary entropies.

    For a posterior that factorises over bits this equals the entropy over all `2^M` words.

    Args:
      probabilities: `[..., M]`, float in [0, 1]: the probability that each bit is 1. 0 and 1 are allowed.

    Returns:
      `[...]`, the dtype of `probabilities`, in [0, M].

    Example:

    ```python
    entropy([0.5, 0.5, 1.0])  # 2.0
    ```
    """
    p = tf.convert_to_tensor(probabilities)
    # xlogy and xlog1py are 0 at p = 0 and p = 1, where p * log(p) would be 0 * -inf.
    nats = -tf.math.xlogy(p, p) - tf.math.xlog1py(1.0 - p, -p)
    return tf.reduce_sum(nats, axis=-1) / tf.math.log(tf.constant(2.0, p.dtype))


def _differs(sent, received):
    sent, received = tf.convert_to_tensor(sent), tf.convert_to_tensor(received)
    if not sent.shape.is_compatible_with(received.shape):
        raise ValueError(f"words of different shapes: {tuple(sent.shape)} and {tuple(received.shape)}")
    return tf.not_equal(sent, tf.cast(received, sent.dtype))
