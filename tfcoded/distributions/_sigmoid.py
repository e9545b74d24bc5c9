"""The logistic function with a derivative that is known as well as its value."""

import tensorflow as tf


@tf.custom_gradient
def sigmoid(logits):
    """`tf.sigmoid`, differentiated as `sigmoid(l) sigmoid(-l)`.

    TensorFlow makes the derivative of the value, `y (1 - y)`, which is 0 once y has been rounded to 1: in float32 from
    logit 17 on.

    Args:
      logits: floating-point tensor.

    Returns:
      Probabilities, same shape and dtype.
    """

    def gradient(upstream):
        return upstream * tf.sigmoid(logits) * tf.sigmoid(-logits)

    return tf.sigmoid(logits), gradient
