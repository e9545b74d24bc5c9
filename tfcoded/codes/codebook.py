"""All words of a code at once: what can be done by enumeration while 2^M is small."""

import math

from tfcoded.codes.evidence import add_up
from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")
tf = LazyModule("tensorflow")


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


def word_scores(logits, words):
    """Unnormalized log-probabilities of words of independent bits: the sum of the logits of a word's ones.

    An infinite logit makes the words impossible that contradict it. Where every word contradicts one, those are left
    that contradict the fewest.

    Args:
      logits: floating-point tensor `[..., D]`, log-odds of the bits.
      words: array `[N, D]` of 0 and 1.

    Returns:
      `[..., N]`, same dtype: finite or -inf, at least one of them finite. Where one comes near the limits of the
      dtype the largest is subtracted from all.
    """

    table = tf.constant(words, tf.uint8)

    def add(x):
        return tf.matmul(x, tf.cast(table, x.dtype), transpose_b=True)

    # In float64: accelerators multiply float32 matrices with 10 bits of precision, enough to count infinities.
    finite, scale, certain = add_up(tf.cast(logits, tf.float64), add, words.shape[1])
    possible = certain == tf.reduce_max(certain, axis=-1, keepdims=True)
    largest = tf.reduce_max(tf.where(possible, finite, -math.inf), axis=-1, keepdims=True)
    huge = tf.reduce_max(tf.abs(finite), axis=-1, keepdims=True) > 0.5 * logits.dtype.max / scale
    finite -= tf.stop_gradient(tf.where(huge, largest, tf.zeros_like(largest)))
    return tf.where(possible, tf.cast(scale * finite, logits.dtype), -math.inf)


def information_marginals(log_probabilities, information_bits):
    """Log-odds of every information bit under a distribution over words.

    Args:
      log_probabilities: floating tensor `[..., 2^M]` in the order of `all_words`, normalized or not.
      information_bits: `int`, M.

    Returns:
      `[..., M]`, same dtype: `log sum_{m: m_k = 1} p(m) - log sum_{m: m_k = 0} p(m)`; infinite for a bit that is
      certain.
    """
    batch = tf.shape(log_probabilities)[:-1]
    # A sum of nothing but zeros has a logarithm without a derivative, that of nothing but smallest numbers has one.
    lowest = tf.constant(log_probabilities.dtype.min, log_probabilities.dtype)
    log_probabilities = tf.maximum(log_probabilities, lowest)
    columns = []
    for k in range(information_bits):
        split = tf.reshape(log_probabilities, tf.concat([batch, [-1, 2, 2**k]], axis=0))
        sides = tf.reduce_logsumexp(split, axis=[-3, -1])
        sides = tf.where(sides > lowest, sides, -math.inf)
        columns.append(sides[..., 1] - sides[..., 0])
    return tf.stack(columns, axis=-1)
