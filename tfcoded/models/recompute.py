"""A function of many samples in the memory of a few."""

import keras
import tensorflow as tf


def in_parts(function, samples, variables, largest):
    """`function(samples)`, holding the activations of at most `largest` samples at a time.

    The forward pass maps over parts of the first axis and keeps nothing but the results; the backward pass computes
    each part again, just before its gradient, and adds the gradients up. The gradient is the same as that of
    `function(samples)`, for a third more work; where all samples fit into one part, nothing is computed twice.

    Args:
      function: from a tensor `[s, ...]` to a tensor whose first axis is `s` too, each row depending on its own
        sample only. It must be differentiable in what it reads through `variables`, and in nothing else.
      samples: tensor `[S, ...]` with a static S.
      variables: list of the `keras.Variable`s that the function reads.
      largest: `int`, samples per part; the largest divisor of S not above it is taken.

    Returns:
      Tensor `[S, ...]`, differentiable in `samples` and `variables`.
    """
    total = samples.shape[0]
    size = max(divisor for divisor in range(1, total + 1) if total % divisor == 0 and divisor <= max(1, largest))
    if size == total:
        return function(samples)
    parts = total // size

    def evaluate(part, weights):
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            return function(part)

    def split(tensor):
        return tf.reshape(tensor, tf.concat([[parts, size], tf.shape(tensor)[1:]], axis=0))

    @tf.custom_gradient
    def forward(samples, *weights):
        inputs = tf.ensure_shape(split(samples), [parts, size, *samples.shape[1:]])
        # One after the other: side by side they would need the memory after all.
        results = tf.map_fn(lambda part: evaluate(part, weights), inputs, parallel_iterations=1)

        def backward(upstream):
            gradients_of_results = split(upstream)

            def add(index, to_samples, to_weights):
                part = inputs[index]
                with tf.GradientTape() as tape:
                    tape.watch([part, *weights])
                    result = evaluate(part, weights)
                to_part, *more = tape.gradient(
                    result,
                    [part, *weights],
                    output_gradients=gradients_of_results[index],
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                to_weights = [total + new for total, new in zip(to_weights, more, strict=True)]
                return index + 1, to_samples.write(index, to_part), to_weights

            start = (0, tf.TensorArray(inputs.dtype, parts), [tf.zeros_like(weight) for weight in weights])
            _, to_samples, to_weights = tf.while_loop(
                lambda index, *_: index < parts, add, start, parallel_iterations=1, maximum_iterations=parts
            )
            return tf.reshape(to_samples.stack(), tf.shape(samples)), *to_weights

        return tf.reshape(results, tf.concat([[total], tf.shape(results)[2:]], axis=0)), backward

    # The weights are arguments because a function with a custom gradient must not capture what it differentiates by.
    return forward(samples, *[tf.convert_to_tensor(variable.value) for variable in variables])
