"""The image classifier that judges whether a reconstruction still shows what the image showed, and its folded form."""

import keras
import numpy as np
import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.utils import inputs

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


class FoldedClassifier(tf.Module):
    """A trained `Classifier` ready for use: its convolutions and one dense layer, 41,866 numbers for two of them.

    Dropout does nothing after training and nothing lies between the dense layers, so their product is one
    dense layer, and a batch norm with fixed statistics scales and shifts the convolution before it. In
    float32 the folded network takes 0.17 MB where the layers as trained take 10 MB, and no accuracy is traded
    for it.

    Args:
      kernels: `[3, 3, C, filters]` arrays, one for each convolution, and a `[F, classes]` array.
      biases: `[filters]` arrays and a `[classes]` array.
      image_shape: `(H, W, C)`.

    Example:

    ```python
    classifier = tf.saved_model.load("zoo/classifier_fashion_mnist/1")
    classifier.classify(images)  # logits [N, 10] of uint8 images, or of float32 images in [0, 1]
    ```
    """

    def __init__(self, kernels, biases, image_shape):
        super().__init__()
        self.kernels = [tf.Variable(kernel, dtype=tf.float32, trainable=False) for kernel in kernels]
        self.biases = [tf.Variable(bias, dtype=tf.float32, trainable=False) for bias in biases]
        self.image_shape = tuple(image_shape)

    @tf.function(autograph=False)
    def classify(self, images):
        """Logits of a batch of images.

        Args:
          images: `[N, H, W, C]`, tf.uint8, or tf.float32 in [0, 1]; N may be 0. Others are refused.

        Returns:
          `[N, classes]` tf.float32.
        """
        return any_rows(self._logits, inputs.images(images, self.image_shape))

    def _logits(self, images):
        x = tf.cast(images, tf.float32)
        if images.dtype == tf.uint8:
            x /= 255.0
        for index, (kernel, bias) in enumerate(zip(self.kernels[:-1], self.biases[:-1])):
            padding = "VALID" if index else "SAME"
            x = tf.nn.max_pool2d(tf.nn.conv2d(x, kernel, strides=1, padding=padding), 2, 2, padding="VALID")
            x = tf.nn.relu(x + bias)  # the same as before the pooling, on a quarter of the numbers
        # -1 is the batch, not the features: their number is static.
        features = x.shape[1] * x.shape[2] * x.shape[3]
        return tf.reshape(x, [-1, features]) @ self.kernels[-1] + self.biases[-1]

    def signatures(self):
        """Signatures for `tf.saved_model.save`: `classify` (uint8; `serving_default` too) and `classify_float`.

        Each maps any number of `images` to `logits`; the loaded object's `classify` takes either dtype.
        """
        signatures = {}
        # uint8 first: a loaded model converts a nested list to the first type that fits; 0..255 fit float32.
        for name, dtype in (("classify", tf.uint8), ("classify_float", tf.float32)):
            images = tf.TensorSpec([None, *self.image_shape], dtype, name="images")
            self.classify.get_concrete_function(images)  # traced here, so that the loaded object has both

            @tf.function(input_signature=[images], autograph=False)
            def signature(images):
                return {"logits": self.classify(images)}

            signatures[name] = signature
        signatures["serving_default"] = signatures["classify"]
        return signatures
