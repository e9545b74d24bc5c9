"""Codecs of known behaviour, with the interface of an exported model."""

import numpy as np
import tensorflow as tf

from tfcoded import config


class FakeCodec:
    """Shows bit k of a word as pixel k of an 11 x 11 image; each received bit is 1 with a stated probability.

    Args:
      bits: `int`, information bits, at most 121.
      certainty: `float`, posterior probability of the true value of every bit.
      shift: `float`, added to reconstructed images.
      branches: `int`, number of equal branches that `elbo` reports.
    """

    def __init__(self, bits, certainty=1.0, shift=0.0, branches=1):
        self.bits, self.certainty, self.shift, self.branches = bits, certainty, shift, branches

    def encode(self, images):
        pixels = tf.reshape(images, [len(images), -1])[:, : self.bits]
        ones = pixels > 0.5
        probabilities = tf.where(ones, self.certainty, 1.0 - self.certainty)
        word = tf.reduce_prod(tf.maximum(probabilities, 1.0 - probabilities), axis=-1)
        return {
            "bit_probabilities": probabilities,
            "bits": tf.cast(probabilities > 0.5, tf.int32),
            "word_probability": word,
            "entropy": _entropy(probabilities),
        }

    def draw(self, images, seed):
        probabilities = self.encode(images)["bit_probabilities"]
        return _drawn(probabilities, seed)

    def decode(self, bits, seed):
        assert seed.dtype == tf.int32 and seed.shape == [2] and bits.dtype == tf.int32
        pixels = tf.pad(tf.cast(bits, tf.float32), [[0, 0], [0, 121 - self.bits]])
        return {"images": tf.reshape(pixels, [-1, 11, 11, 1])}

    def reconstruct(self, images, seed):
        return {"images": images + self.shift}

    def generate(self, n, seed):
        bits = tf.random.stateless_uniform([n, self.bits], seed, 0, 2, tf.int32)
        return {"images": self.decode(bits, seed)["images"], "bits": bits}

    def elbo(self, images, seed):
        reconstruction = -tf.reduce_sum(images, axis=[1, 2, 3])
        kl = tf.ones([len(images), self.branches]) * tf.range(1.0, self.branches + 1.0)
        total = tf.reduce_sum(kl, axis=-1)
        return {
            "elbo": reconstruction - total,
            "kl": total,
            "reconstruction": reconstruction,
            "kl_branches": kl,
        }


def _entropy(probabilities):
    """Entropy of words of independent bits, in bits."""
    nats = -tf.math.xlogy(probabilities, probabilities) - tf.math.xlog1py(1.0 - probabilities, -probabilities)
    return tf.reduce_sum(nats, axis=-1) / np.log(2.0)


def _drawn(probabilities, seed):
    """Words of independent bits: one at random, and the most probable one."""
    uniform = tf.random.stateless_uniform(tf.shape(probabilities), seed)
    return {
        "bits": tf.cast(uniform < probabilities, tf.int32),
        "most_probable_bits": tf.cast(probabilities > 0.5, tf.int32),
    }


def images(count, seed=0):
    """Random grey images, uint8 `[count, 11, 11, 1]`."""
    return np.random.default_rng(seed).integers(0, 256, [count, 11, 11, 1]).astype(np.uint8)


def settings(name, dataset, branches):
    """The configuration of a codec; arguments as of `save`."""
    bits = sum(branches)
    several = len(branches) > 1
    return config.from_dict(
        {
            "name": name,
            "dataset": dataset,
            "likelihood": "bernoulli",
            "beta": 15,
            "code": {
                "kind": "hierarchical" if several else "repetition",
                "information_bits": list(branches) if several else bits,
                "code_bits": [10 * branch for branch in branches] if several else 10 * bits,
            },
            "network": {"image_shape": [28, 28, 1]},
            "training": {"epochs": 1},
            "published": {"psnr": 18.1, "psnr_train": 19.2, "ber": 0.25, "fid": 90.0},
        }
    )


def save(directory, dataset, branches=(3, 2), shade=0.5, name="fake"):
    """Saves a codec of 28 x 28 grey images, its bits as stripes, with the interface of an exported model.

    Args:
      directory: folder of the SavedModel.
      dataset: `str` that its configuration names.
      branches: information bits of each branch.
      shade: `float`, brightness of reconstructed images.
      name: `str` that its configuration has.
    """
    bits = sum(branches)
    text = config.to_yaml(settings(name, dataset, branches))
    image_batch = tf.TensorSpec([None, 28, 28, 1], tf.float32)
    bit_batch = tf.TensorSpec([None, bits], tf.int32)
    seed_pair = tf.TensorSpec([2], tf.int32)

    class Module(tf.Module):
        @tf.function(input_signature=[image_batch])
        def encode(self, images):
            # Bit k is a stripe of two rows; the posterior is nearly sure of it.
            p = tf.reduce_mean(images[:, : 2 * bits, :, 0], axis=2)[:, ::2]
            p = 0.01 + 0.98 * tf.cast(p > 0.5, tf.float32)
            word = tf.reduce_prod(tf.maximum(p, 1 - p), axis=-1)
            return {
                "bit_probabilities": p,
                "bits": tf.cast(p > 0.5, tf.int32),
                "word_probability": word,
                "entropy": _entropy(p),
            }

        @tf.function(input_signature=[image_batch])
        def code_logits(self, images):
            p = tf.repeat(self.encode(images)["bit_probabilities"], 10, axis=1)
            return {"logits": tf.math.log(p) - tf.math.log1p(-p)}

        @tf.function(input_signature=[image_batch, seed_pair])
        def draw(self, images, seed):
            return _drawn(self.encode(images)["bit_probabilities"], seed)

        @tf.function(input_signature=[bit_batch, seed_pair])
        def decode(self, bits, seed):
            rows = tf.repeat(tf.cast(bits, tf.float32), 2, axis=1)
            rows = tf.pad(rows, [[0, 0], [0, 28 - tf.shape(rows)[1]]])
            return {"images": tf.tile(rows[:, :, tf.newaxis, tf.newaxis], [1, 1, 28, 1])}

        @tf.function(input_signature=[image_batch, seed_pair])
        def reconstruct(self, images, seed):
            return {"images": shade * images}

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32), seed_pair])
        def generate(self, n, seed):
            drawn = tf.random.stateless_uniform([n, bits], seed, 0, 2, tf.int32)
            return {"images": self.decode(drawn, seed)["images"], "bits": drawn}

        @tf.function(input_signature=[image_batch, seed_pair])
        def elbo(self, images, seed):
            zeros = tf.reduce_sum(images, axis=[1, 2, 3]) * 0.0
            kl = tf.tile(zeros[:, tf.newaxis], [1, len(branches)])
            return {"elbo": zeros, "kl": zeros, "reconstruction": zeros, "kl_branches": kl}

        @tf.function(input_signature=[image_batch, tf.TensorSpec([None, None], tf.float32)])
        def log_likelihood(self, images, z):
            return {"log_likelihood": -tf.reduce_sum(images, axis=[1, 2, 3]) - tf.reduce_sum(z, axis=1)}

        @tf.function(input_signature=[image_batch, tf.TensorSpec([None, None], tf.float32)])
        def log_likelihoods(self, images, z):
            return {"log_likelihood": -tf.reduce_sum(images, axis=[1, 2, 3])[:, tf.newaxis] - tf.reduce_sum(z, axis=1)}

        @tf.function(input_signature=[])
        def configuration(self):
            return tf.constant(text)

    tf.saved_model.save(Module(), str(directory))
