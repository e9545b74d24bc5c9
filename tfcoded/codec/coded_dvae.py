"""A trained Coded-DVAE as functions of tensors, which is what a SavedModel holds."""

import math
import types

import tensorflow as tf

from tfcoded.codec.coded_dvae_inference import inference_copy
from tfcoded.config import MOST_GENERATED, to_yaml
from tfcoded.utils import inputs, seeds

# Purposes of the seed of `generate`: the word and its smoothing are independent.
_BITS, _SMOOTHING = 1, 2


class CodedDVAEModule(tf.Module):
    """Encodes, decodes, reconstructs, generates and scores; the same object before saving and after loading.

    Everything is computed in float32, whatever the model was trained in. The weights are a copy: training the
    model further changes nothing here. Shapes: N images of `[h, w, c]`, M information bits. Images are
    tf.uint8 in 0..255, or tf.float32 in [0, 1]. A seed is `int32 [2]`: the same seed gives the same noise, also in a
    graph and under XLA, and rows of one call are independent. N may be 0. Inputs of other shapes, types or values are
    refused, see `tfcoded.utils.inputs`; XLA leaves the checks of values out.

    Args:
      model: a built `tfcoded.models.CodedDVAE`.
      config: its `tfcoded.config.Config`.
      storage: one of `tfcoded.storage.STORAGES`, how a SavedModel stores the kernels; see
        `tfcoded.codec.weights.Weights`.
      images: training images, `[N, h, w, c]`, for the storage `"compensated"`.

    Raises:
      ValueError: if the storage is unknown or lacks images, a weight is not finite, or the configuration describes
        another model.

    Example:

    ```python
    module = CodedDVAEModule(model, config)
    word = module.encode(images_uint8)["bits"]
    images = module.decode(word, seed=tf.constant([0, 1]))["images"]
    ```
    """

    def __init__(self, model, config, storage="float32", images=None):
        super().__init__(name="coded_dvae")
        inference = inference_copy(model, config, storage, images)
        self._yaml = to_yaml(config)
        # All that is to be saved. The Keras model's own variables are not, so it is put where tf.Module does
        # not look: into a namespace.
        self._weights = inference.stored
        self._untracked = types.SimpleNamespace(model=inference)

    @tf.function(autograph=False)
    def encode(self, images):
        """The posterior over words.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].

        Returns:
          `dict` of
            `bit_probabilities`: `[N, M]`, tf.float32, q(m_k = 1 | x).
            `bits`: `[N, M]`, tf.int32, the most probable word.
            `word_probability`: `[N]`, tf.float32, its probability.
            `entropy`: `[N]`, tf.float32, of the posterior over words, in bits.
        """
        posterior = self._model.posterior(self._images(images))
        return {
            "bit_probabilities": tf.sigmoid(posterior.logits),
            "bits": posterior.most_probable(),
            "word_probability": tf.exp(posterior.log_probability_of_most_probable()),
            "entropy": posterior.entropy() / math.log(2.0),
        }

    @tf.function(autograph=False)
    def code_logits(self, images):
        """What the encoder claims of every code bit, before any decoding.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].

        Returns:
          `dict` of `logits`: `[N, D]`, tf.float32, log-odds of the code bits.
        """
        return {"logits": self._model.code_logits(self._images(images))}

    @tf.function(autograph=False)
    def draw(self, images, seed):
        """A word drawn from the posterior, beside the most probable one.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `bits` and `most_probable_bits`: `[N, M]`, tf.int32.
        """
        images, seed = inputs.together(self._images(images), inputs.seed(seed))
        posterior = self._model.posterior(images)
        return {"bits": posterior.draw(seed), "most_probable_bits": posterior.most_probable()}

    @tf.function(autograph=False)
    def log_likelihood(self, images, z):
        """log p(x | z) of images given smoothed code bits.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          z: `[N, D]`, tf.float32 in [0, 1].

        Returns:
          `dict` of `log_likelihood`: `[N]`, tf.float32, in nats.
        """
        images = self._images(images)
        images, z = inputs.together(images, inputs.as_many(self._z(z), "z", images, "images"))
        return {"log_likelihood": self._model.log_likelihood(images, z)}

    @tf.function(autograph=False)
    def log_likelihoods(self, images, z):
        """log p(x | z) of every image given every z.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          z: `[S, D]`, tf.float32 in [0, 1].

        Returns:
          `dict` of `log_likelihood`: `[N, S]`, tf.float32, in nats.
        """
        model = self._model
        images, z = inputs.together(self._images(images), self._z(z))
        pixels = model.likelihood.scale(model.to_unit_range(images))
        return {"log_likelihood": model.likelihood.log_prob_of_pairs(pixels, model.outputs(z))}

    @tf.function(autograph=False)
    def decode(self, bits, seed):
        """Images of given words: hard encoding, smoothing drawn with the seed, decoder.

        Args:
          bits: `[N, M]`, tf.int32, 0 or 1.
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `images`: `[N, h, w, c]`, tf.float32 in [0, 1].
        """
        bits = inputs.one_of(bits, "bits", self._model.code.information_bits, (0, 1), tf.int32)
        bits, seed = inputs.together(bits, inputs.seed(seed))
        return {"images": self._model.decode(self._model.modulate(bits, seed))}

    @tf.function(autograph=False)
    def reconstruct(self, images, seed):
        """Images decoded from one sample of the softly encoded posterior.

        `elbo` with the same seed uses the same sample.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `images`: `[N, h, w, c]`, tf.float32 in [0, 1].
        """
        images, seed = inputs.together(self._images(images), inputs.seed(seed))
        return {"images": self._model.decode(self._model.sample(images, seed))}

    @tf.function(autograph=False)
    def generate(self, n, seed):
        """Images of uniformly random words.

        Args:
          n: `[]`, tf.int32, number of images, in 0..`MOST_GENERATED` (1,024).
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of
            `images`: `[n, h, w, c]`, tf.float32 in [0, 1].
            `bits`: `[n, M]`, tf.int32, their words.
        """
        n, seed = inputs.together(inputs.count(n, "n", MOST_GENERATED), inputs.seed(seed))
        bits = seeds.bits(tf.stack([n, self._model.code.information_bits]), seeds.derive(seed, _BITS))
        z = self._model.modulate(bits, seeds.derive(seed, _SMOOTHING))
        return {"images": self._model.decode(z), "bits": bits}

    @tf.function(autograph=False)
    def elbo(self, images, seed):
        """The evidence lower bound and its parts, with one sample per image, in nats.

        Of a code whose bits are sent several times it is no bound on log p(x), see `tfcoded.objectives.Elbo`.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of tf.float32: `elbo`, `kl`, `reconstruction` `[N]`, with `elbo = reconstruction - kl`, and
          `kl_branches` `[N, branches]`, which sums to `kl`.
        """
        return self._model.evidence(*inputs.together(self._images(images), inputs.seed(seed)))

    @tf.function(input_signature=[], autograph=False)
    def configuration(self):
        """The configuration as YAML (`tfcoded.config.from_yaml` reads it), a tf.string scalar."""
        return tf.constant(self._yaml)

    def signatures(self):
        """The signatures of TensorFlow Serving, and with them every trace of the methods that is to be saved.

        Returns:
          `dict` of `str` to `tf.function`. A signature has one type of images: `encode`, `code_logits`, `draw`, `reconstruct`,
          `elbo`, `log_likelihood` and `log_likelihoods` take tf.uint8, and with `_float` at the end of their name tf.float32.
          `serving_default` is `encode`.
        """
        bits = tf.TensorSpec([None, self._model.code.information_bits], tf.int32, name="bits")
        z = tf.TensorSpec([None, self._model.code.code_bits], tf.float32, name="z")
        n = tf.TensorSpec([], tf.int32, name="n")
        seed = tf.TensorSpec([2], tf.int32, name="seed")
        named = {
            "decode": signature(self.decode, bits, seed),
            "generate": signature(self.generate, n, seed),
        }
        # uint8 first: a loaded model converts a nested list to the first type that fits; 0..255 fit float32.
        for suffix, dtype in (("", tf.uint8), ("_float", tf.float32)):
            images = tf.TensorSpec([None, *self._model.image_shape], dtype, name="images")
            named[f"encode{suffix}"] = signature(self.encode, images)
            named[f"code_logits{suffix}"] = signature(self.code_logits, images)
            named[f"draw{suffix}"] = signature(self.draw, images, seed)
            named[f"log_likelihood{suffix}"] = signature(self.log_likelihood, images, z)
            named[f"log_likelihoods{suffix}"] = signature(self.log_likelihoods, images, z)
            named[f"reconstruct{suffix}"] = signature(self.reconstruct, images, seed)
            named[f"elbo{suffix}"] = signature(self.elbo, images, seed)
        named["serving_default"] = named["encode"]
        return named

    @property
    def _model(self):
        return self._untracked.model

    def _images(self, images):
        return inputs.images(images, self._model.image_shape)

    def _z(self, z):
        return inputs.unit_interval(z, "z", self._model.code.code_bits)


def signature(method, *specs):
    """`method` for one type of arguments, as a function that tf.saved_model.save is to trace.

    Traced any earlier, or from the outside by a plain call, it would be traced again, and be stored twice.
    """

    def function(*arguments):
        return method.get_concrete_function(*specs)(*arguments)

    return tf.function(function, input_signature=specs, autograph=False)
