"""The image classifier that judges whether a reconstruction still shows what the image showed."""

import keras
import numpy as np
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.folded_classifier import FoldedClassifier

# Keras' own 0.99 still holds the initial statistics after an epoch of a few hundred steps.
_MOMENTUM = 0.9
_DATA_FORMAT = "channels_last"  # whatever the user's setting is


@keras.saving.register_keras_serializable("tfcoded")
class Classifier(keras.Model):
    """Convolutions and three dense layers.

    conv 3x3 same 32, batch norm, ReLU, max-pool 2; conv 3x3 valid 64, batch norm, ReLU, max-pool 2; flatten;
    dense 1024; dropout 0.25; dense 128; dense `classes`, with no activation between the dense layers. Other `filters`
    give more or other convolutions; all but the first are valid.

    Args:
      classes: `int`, number of classes.
      seed: `int` in [0, 2^31 / (F + 4)) for F convolutions, seeds the initial weights and the dropout.
      filters: `int`s, the filters of each convolution; `(32, 64)` is the network of the reference.

    Call arguments:
      images: `[N, H, W, C]`, tf.float32 in [0, 1]; `[N, 28, 28, 1]` gives 6x6x64 at the flattening.

    Returns:
      logits: `[N, classes]`, tf.float32.

    Raises:
      ValueError: if the seed is out of range.

    Example:

    ```python
    classifier = Classifier(classes=10, seed=0)
    labels = tf.argmax(classifier(images), axis=-1)
    ```

    #### References
    The network of the experiments of Martinez-Garcia et al., "Improved Variational Inference in Discrete VAEs
    using Error Correcting Codes", 2025, section 5 (semantic accuracy).
    """

    def __init__(self, classes=10, seed=0, filters=(32, 64), **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.seed = seed
        self.filters = tuple(filters)
        count = len(self.filters) + 4
        if not 0 <= seed < 2**31 // count:  # Keras cuts off what is larger
            raise ValueError(f"seed must be in [0, {2**31 // count}), got {seed}")
        seeds = iter(range(seed * count, seed * count + count))

        def initializer():
            return keras.initializers.GlorotUniform(seed=next(seeds))

        self.convolutions = [
            keras.layers.Conv2D(
                number,
                3,
                padding="valid" if index else "same",
                data_format=_DATA_FORMAT,
                kernel_initializer=initializer(),
            )
            for index, number in enumerate(self.filters)
        ]
        self.normalizations = [keras.layers.BatchNormalization(momentum=_MOMENTUM) for _ in self.filters]
        self.pool = keras.layers.MaxPooling2D(2, data_format=_DATA_FORMAT)
        self.flatten = keras.layers.Flatten(_DATA_FORMAT)
        self.dense_1 = keras.layers.Dense(1024, kernel_initializer=initializer())
        self.dropout = keras.layers.Dropout(0.25, seed=next(seeds))
        self.dense_2 = keras.layers.Dense(128, kernel_initializer=initializer())
        self.dense_3 = keras.layers.Dense(classes, kernel_initializer=initializer())

    def call(self, images, training=False):
        return any_rows(lambda images: self._logits(images, training), tf.convert_to_tensor(images))

    def _logits(self, x, training):
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            x = normalization(convolution(x), training=training)
            x = keras.ops.relu(self.pool(x))  # the same as pooling afterwards, on a quarter of the numbers
        x = self.dropout(self.dense_1(self.flatten(x)), training=training)
        return self.dense_3(self.dense_2(x))

    def folded(self, image_shape):
        """The trained network as a `FoldedClassifier`: the same function with fewer numbers.

        Args:
          image_shape: `(H, W, C)`.
        """
        kernels, offsets = [], []
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            kernel, bias = (np.asarray(w, np.float64) for w in convolution.get_weights())
            gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in normalization.get_weights())
            scale = gamma / np.sqrt(variance + normalization.epsilon)
            kernels.append(kernel * scale)
            offsets.append((bias - mean) * scale + beta)

        dense, offset = (np.asarray(w, np.float64) for w in self.dense_1.get_weights())
        for layer in (self.dense_2, self.dense_3):
            kernel, bias = (np.asarray(w, np.float64) for w in layer.get_weights())
            dense, offset = dense @ kernel, offset @ kernel + bias
        return FoldedClassifier([*kernels, dense], [*offsets, offset], image_shape)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "seed": self.seed, "filters": self.filters}
