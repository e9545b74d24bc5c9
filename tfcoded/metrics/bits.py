"""Errors between sent and received words."""

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
    """
    return tf.cast(tf.reduce_any(_differs(sent, received), axis=-1), tf.float32)


def _differs(sent, received):
    sent, received = tf.convert_to_tensor(sent), tf.convert_to_tensor(received)
    if not sent.shape.is_compatible_with(received.shape):
        raise ValueError(f"words of different shapes: {tuple(sent.shape)} and {tuple(received.shape)}")
    return tf.not_equal(sent, tf.cast(received, sent.dtype))
