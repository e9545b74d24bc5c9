"""Networks on batches that may be empty."""

import tensorflow as tf


def any_rows(function, rows):
    """`function(rows)`, of no rows too.

    TensorFlow's fused convolutions (a bias behind a convolution, on CPUs) give an empty batch the wrong number of
    channels. Here a row of zeros takes the place of none and is cut off the results.

    Args:
      function: from `[N, ...]` to a structure of tensors `[N, ...]`, row by row.
      rows: `[N, ...]` of known rank.

    Returns:
      What the function returns.

    Example:

    ```python
    any_rows(network, tf.zeros([0, 28, 28, 1]))   # [0, 10]
    ```
    """
    count = tf.shape(rows)[0]
    missing = tf.cast(tf.equal(count, 0), tf.int32)
    padded = tf.pad(rows, [[0, missing], *[[0, 0]] * (rows.shape.rank - 1)])
    padded = tf.ensure_shape(padded, [None, *rows.shape[1:]])
    return tf.nest.map_structure(lambda result: result[:count], function(padded))
