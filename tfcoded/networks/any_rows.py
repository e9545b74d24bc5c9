"""Networks on batches that may be empty."""

import tensorflow as tf


def any_rows(function, *rows):
    """`function(*rows)`, of no rows too.

    TensorFlow's fused convolutions (a bias behind a convolution, on CPUs) give an empty batch the wrong number of
    channels. Here a row of zeros takes the place of none and is cut off the results.

    Args:
      function: from tensors `[N, ...]` to a structure of tensors `[N, ...]`, row by row.
      *rows: tensors `[N, ...]` of known rank.

    Returns:
      What the function returns.

    Example:

    ```python
    any_rows(network, tf.zeros([0, 28, 28, 1]))   # [0, 10]
    ```
    """
    if rows[0].shape[0]:  # known, and not 0
        return function(*rows)
    count = tf.shape(rows[0])[0]
    missing = tf.cast(tf.equal(count, 0), tf.int32)

    def pad(tensor):
        padded = tf.pad(tensor, [[0, missing], *[[0, 0]] * (tensor.shape.rank - 1)])
        return tf.ensure_shape(padded, [None, *tensor.shape[1:]])

    return tf.nest.map_structure(lambda result: result[:count], function(*map(pad, rows)))
