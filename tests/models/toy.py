"""A coded model without networks, small enough for its gradients and its likelihood to be computed exactly."""

import math

import numpy as np
import tensorflow as tf

from tfcoded.distributions import SmoothedBernoulli, TruncatedExponential
from tfcoded.models import BitPosterior, CodedDVAE


class Toy:
    """`x ~ N(A z, deviation^2)` in two dimensions; the "encoder" is one vector of code logits, the weights are A.

    It offers what an estimator asks of a `CodedDVAE`, in float64.

    Args:
      code: `tfcoded.codes.Code`.
      posterior: `BitPosterior` or `WordPosterior`.
      beta: `float`.
      deviation: `float`.
    """

    def __init__(self, code, posterior=BitPosterior, beta=8.0, deviation=0.7):
        rng = np.random.default_rng(3)
        self.code, self.beta, self.deviation = code, beta, deviation
        self.a = tf.Variable(rng.normal(0, 1, [2, code.code_bits]), dtype=tf.float64)
        self.code_logits = tf.Variable(rng.normal(0, 0.7, [code.code_bits]), dtype=tf.float64)
        self._posterior = posterior

    def posterior(self, images):
        shape = [len(images), self.code.code_bits]
        return self._posterior(self.code, tf.broadcast_to(tf.convert_to_tensor(self.code_logits), shape))

    def log_likelihood(self, images, z):
        residuals = tf.linalg.matvec(self.a, z) - images
        return -0.5 * tf.reduce_sum(residuals**2, axis=-1) / self.deviation**2 - self._log_normalizer()

    bound_terms = CodedDVAE.bound_terms

    def evidence(self, images, seed):
        posterior = self.posterior(images)
        return self.bound_terms(self.log_likelihood(images, posterior.latents(self.beta, seed)), posterior)

    def expected_log_likelihood(self, image, words):
        """`E[log p(x | z) | word]` in closed form, for words `[n, M]`: `[n]`."""
        codewords = tf.cast(self.code.encode(words), tf.float64)
        smoothed = TruncatedExponential(self.beta * (1 - 2 * codewords))
        return self.expected_normal(image, smoothed.mean(), smoothed.variance())

    def expected_normal(self, image, mean, variance):
        """`E[log p(x | z)]` for independent components of z with these moments, `[..., D]` each: `[...]`."""
        residuals = tf.linalg.matvec(self.a, mean) - image
        spread = tf.linalg.matvec(self.a**2, variance)
        return -0.5 * tf.reduce_sum(residuals**2 + spread, axis=-1) / self.deviation**2 - self._log_normalizer()

    def log_evidence(self, image, nodes=200):
        """log p(x) by Gauss-Legendre quadrature over z, for a code of two code bits."""
        points, weights = np.polynomial.legendre.leggauss(nodes)
        points, weights = (points + 1) / 2, weights / 2
        grid = np.stack(np.meshgrid(points, points, indexing="ij"), -1).reshape(-1, 2)
        log_prior = tf.reduce_sum(SmoothedBernoulli(tf.zeros([], tf.float64), self.beta).log_prob(grid), axis=-1)
        joint = tf.exp(self.log_likelihood(image, tf.constant(grid)) + log_prior)
        return math.log(float(np.outer(weights, weights).reshape(-1) @ joint.numpy()))

    def _log_normalizer(self):
        return 2 * math.log(self.deviation * math.sqrt(2 * math.pi))
