"""Likelihoods of an image given the decoder's output, and the pixel scale each one wants."""

import math

from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


class BernoulliLikelihood:
    """Cross-entropy on grey levels in [0, 1]: the decoder gives logits, the raw intensities are the targets.

    Grey levels are not binarized, so this is an unnormalized score; it is comparable between models that share it.
    """

    def scale(self, images):
        """Images in [0, 1] as the networks see them: unchanged."""
        return images

    def log_prob(self, images, outputs):
        """Log-likelihood in nats, summed over pixels.

        Args:
          images: `[..., h, w, c]`, tf.float32 in [0, 1].
          outputs: same shape, logits.

        Returns:
          `[...]`, tf.float32.
        """
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=outputs)
        return -tf.reduce_sum(loss, axis=[-3, -2, -1])

    def log_prob_of_pairs(self, images, outputs):
        """Log-likelihood in nats of every image under every output, by one matrix product.

        Args:
          images: `[n, h, w, c]`, tf.float32 in [0, 1].
          outputs: `[s, h, w, c]`, logits.

        Returns:
          `[n, s]`, tf.float32.
        """
        x, logits = _rows(images), _rows(outputs)
        normalizer = tf.reduce_sum(tf.math.softplus(logits), axis=-1)
        return tf.cast(tf.matmul(x, logits, transpose_b=True) - normalizer, tf.float32)

    def mean(self, outputs):
        """The decoder's image in [0, 1]."""
        return tf.sigmoid(outputs)


class GaussianLikelihood:
    """Normal density of fixed variance on pixels scaled to [-1, 1]; the decoder gives the mean.

    Args:
      variance: `float`, 0.1 in the published models.
    """

    def __init__(self, variance=0.1):
        self.variance = variance

    def scale(self, images):
        """Images in [0, 1] as the networks see them: in [-1, 1]."""
        return 2.0 * images - 1.0

    def log_prob(self, images, outputs):
        """Log-density in nats, summed over pixels.

        Args:
          images: `[..., h, w, c]`, tf.float32 in [-1, 1].
          outputs: same shape, means.

        Returns:
          `[...]`, tf.float32.
        """
        pixels = images.shape[-3] * images.shape[-2] * images.shape[-1]
        squares = tf.reduce_sum(tf.square(images - outputs), axis=[-3, -2, -1])
        return -0.5 * (squares / self.variance + pixels * math.log(2.0 * math.pi * self.variance))

    def log_prob_of_pairs(self, images, outputs):
        """Log-density in nats of every image under every output, by one matrix product.

        Args:
          images: `[n, h, w, c]`, tf.float32 in [-1, 1].
          outputs: `[s, h, w, c]`, means.

        Returns:
          `[n, s]`, tf.float32.
        """
        x, means = _rows(images), _rows(outputs)
        norms = tf.reduce_sum(x**2, axis=-1)[:, tf.newaxis] + tf.reduce_sum(means**2, axis=-1)
        squares = norms - 2.0 * tf.matmul(x, means, transpose_b=True)
        log_normalizer = x.shape[-1] * math.log(2.0 * math.pi * self.variance)
        return tf.cast(-0.5 * (squares / self.variance + log_normalizer), tf.float32)

    def mean(self, outputs):
        """The decoder's image in [0, 1]."""
        return tf.clip_by_value(0.5 * (outputs + 1.0), 0.0, 1.0)


def _rows(images):
    """Images as rows of tf.float64: the products are sums of thousands that nearly cancel."""
    height, width, channels = images.shape[1:]
    return tf.reshape(tf.cast(images, tf.float64), [-1, height * width * channels])


def likelihood(kind):
    """The likelihood named in a configuration: `bernoulli` (grey images) or `gaussian` (colour images).

    Raises:
      ValueError: for any other name.
    """
    kinds = {"bernoulli": BernoulliLikelihood, "gaussian": GaussianLikelihood}
    if kind not in kinds:
        raise ValueError(f"unknown likelihood {kind!r}; choose one of {', '.join(kinds)}")
    return kinds[kind]()
