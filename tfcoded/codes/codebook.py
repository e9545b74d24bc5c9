"""All words of a code at once: what can be done by enumeration while 2^M is small."""

import numpy as np
import tensorflow as tf

# Above this, tables of 2^M entries per image no longer fit beside a network.
ENUMERABLE_BITS = 12


def all_words(information_bits):
    """Every word of M bits; word i holds bit k of the number i in place k.

    Args:
      information_bits: `int`, M.

    Returns:
      `np.uint8` array `[2^M, M]`.

    Example:

    ```python
    all_words(2)  # [[0, 0], [1, 0], [0, 1], [1, 1]]
    ```
    """
    return np.asarray(np.arange(2**information_bits)[:, np.newaxis] >> np.arange(information_bits) & 1, np.uint8)


def word_numbers(bits):
    """The numbers of words, inverse of indexing `all_words`.

    Args:
      bits: tensor `[..., M]` of 0 and 1 of any type.

    Returns:
      `[...]`, tf.int32.
    """
    bits = tf.cast(bits, tf.int32)
    return tf.reduce_sum(bits * 2 ** tf.range(tf.shape(bits)[-1]), axis=-1)


def information_marginals(log_probabilities, information_bits):
    """Log-odds of every information bit under a distribution over words.

    Args:
      log_probabilities: floating tensor `[..., 2^M]` in the order of `all_words`, normalized or not.
      information_bits: `int`, M.

    Returns:
      `[..., M]`, same dtype: `log sum_{m: m_k = 1} p(m) - log sum_{m: m_k = 0} p(m)`.
    """
    batch = tf.shape(log_probabilities)[:-1]
    columns = []
    for k in range(information_bits):
        split = tf.reshape(log_probabilities, tf.concat([batch, [-1, 2, 2**k]], axis=0))
        sides = tf.reduce_logsumexp(split, axis=[-3, -1])
        columns.append(sides[..., 1] - sides[..., 0])
    return tf.stack(columns, axis=-1)
