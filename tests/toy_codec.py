"""Coded models of one number, whose likelihoods are known by numerical integration."""

import itertools
import math

import numpy as np
import tensorflow as tf

from tfcoded import config

NOISE = 0.3  # standard deviation of x given z


class ToyCodec:
    """`x ~ N(sum_j z_j, 0.3^2)`, an image of one pixel, with the interface of an exported model.

    Args:
      code_bits: `int`, D.
      information_bits: `int`, M.
      shift: `float`, added to the posterior's logits, so that codecs differ.
    """

    def __init__(self, code_bits, information_bits=1, shift=0.0):
        self._center = code_bits / 2
        self._offsets = tf.linspace(-0.2, 0.2, information_bits) + shift
        self.decoded = []  # numbers of z of every call

    def encode(self, images):
        x = tf.reshape(tf.cast(images, tf.float32), [-1, 1])
        return {"bit_probabilities": tf.sigmoid(1.5 * (x - self._center) + self._offsets)}

    def log_likelihood(self, images, z):
        assert z.dtype == tf.float32 and len(z) == len(images)
        self.decoded.append(len(z))
        return {"log_likelihood": tf.linalg.diag_part(self.log_likelihoods(images, z)["log_likelihood"])}

    def log_likelihoods(self, images, z):
        x = tf.reshape(images, [-1, 1])
        score = -0.5 * ((x - tf.reduce_sum(z, axis=1)) / NOISE) ** 2
        return {"log_likelihood": score - math.log(NOISE * math.sqrt(2 * math.pi))}


def configuration(code, beta=8.0, objective=None):
    """The `tfcoded.config.Config` of a code, given as a `dict`; its network plays no role."""
    return config.from_dict(
        {
            "name": "toy",
            "dataset": "mnist",
            "likelihood": "bernoulli",
            "beta": beta,
            "code": code,
            "network": {"image_shape": [28, 28, 1]},
            "objective": objective or {"kind": "elbo"},
            "training": {"epochs": 1},
        }
    )


def repetition(information_bits, code_bits, beta=8.0):
    """`configuration` of a repetition code."""
    return configuration({"kind": "repetition", "information_bits": information_bits, "code_bits": code_bits}, beta)


def exact(x, word_probabilities, beta=8.0, points=2000):
    """`log p(x)` of the toy for code bits with the given joint distribution, by convolving on a grid.

    Args:
      x: `float`.
      word_probabilities: `dict` from the number of ones among the code bits, with D, to its probability:
        `{(ones, D): probability}`.
      beta: `float`.
      points: `int`, grid points in [0, 1].
    """
    z = (np.arange(points) + 0.5) / points
    zero = np.exp(-beta * z)
    zero /= zero.sum()
    total = 0.0
    for (ones, code_bits), probability in word_probabilities.items():
        density = np.ones(1)
        for factor in [zero[::-1]] * ones + [zero] * (code_bits - ones):
            density = np.convolve(density, factor)
        sums = (np.arange(len(density)) + code_bits / 2) / points
        normal = np.exp(-0.5 * ((x - sums) / NOISE) ** 2) / (NOISE * math.sqrt(2 * math.pi))
        total += probability * np.sum(density * normal)
    return math.log(total)


def soft_words(copies, a, b, information_bits=1):
    """Probabilities of the number of ones, copies being drawn independently from a Beta-distributed one."""
    one_bit = [
        math.comb(copies, r)
        * math.exp(
            math.lgamma(a + r)
            + math.lgamma(b + copies - r)
            - math.lgamma(a + b + copies)
            - math.lgamma(a)
            - math.lgamma(b)
            + math.lgamma(a + b)
        )
        for r in range(copies + 1)
    ]
    words = {}
    for counts in itertools.product(range(copies + 1), repeat=information_bits):
        key = (sum(counts), copies * information_bits)
        words[key] = words.get(key, 0.0) + math.prod(one_bit[r] for r in counts)
    return words


def hard_words(codebook):
    """Probabilities of the number of ones, of uniformly random codewords `[words, D]`."""
    words = {}
    for word in np.asarray(codebook, int):
        key = (int(word.sum()), len(word))
        words[key] = words.get(key, 0.0) + 1 / len(codebook)
    return words
