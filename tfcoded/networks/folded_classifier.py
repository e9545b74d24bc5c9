"""The trained image classifier as it is shipped."""

import tensorflow as tf

from tfcoded.networks.any_rows import any_rows
from tfcoded.utils import inputs


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
