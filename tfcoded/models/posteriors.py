"""Posteriors over information bits: independent bits after soft decoding, or a categorical over whole codewords."""

import math

import tensorflow as tf

from tfcoded.codes.codebook import all_words, information_marginals
from tfcoded.distributions import SmoothedBernoulli, TruncatedExponential, bernoulli_entropy, bernoulli_kl
from tfcoded.utils import seeds
from tfcoded.utils.random import uniform

# Purposes of the seed of `WordPosterior.latents`: the word and its smoothing are independent.
_WORD, _SMOOTHING = 1, 2


def modulate(code, bits, beta, seed, dtype=tf.float32):
    """Smoothed code bits of given information bits: hard encoding, then p(z | c) (equation 8).

    Args:
      code: `tfcoded.codes.Code`.
      bits: `[..., M]`, 0 or 1, any integer or floating dtype.
      beta: `float`, inverse temperature of the smoothing.
      seed: `int32 [2]`.
      dtype: of the result, tf.float32 or tf.float64.

    Returns:
      z `[..., D]` in [0, 1]; every copy of a bit is smoothed independently.
    """
    codeword = tf.cast(code.encode(bits), dtype)
    return TruncatedExponential(beta * (1.0 - 2.0 * codeword)).sample(seed=seed)


class BitPosterior:
    """Independent information bits: `q(m | x) = prod_k q(m_k | x)` after soft decoding (equation 11).

    Args:
      code: `tfcoded.codes.Code`.
      code_logits: `[b, D]`, tf.float32, the encoder's logits of the code bits.

    Attributes:
      logits: `[b, M]`, log-odds of the information bits.
      branches: tuple of `int`, information bits of each part that `kl_branches` reports.
    """

    def __init__(self, code, code_logits):
        self.code = code
        self.branches = code.branches
        self.logits = code.soft_decode(code_logits)

    def most_probable(self):
        """The most probable word, `[b, M]`, tf.int32."""
        return tf.cast(self.logits > 0, tf.int32)

    def log_probability_of_most_probable(self):
        """Its log-probability, `[b]`, in nats."""
        # max(q, 1 - q) = sigmoid(|l|), and the product over bits is a sum of logarithms.
        return -tf.reduce_sum(tf.math.softplus(-tf.abs(self.logits)), axis=-1)

    def entropy(self):
        """Entropy of the word, `[b]`, in nats."""
        return tf.reduce_sum(bernoulli_entropy(self.logits), axis=-1)

    def kl_branches(self):
        """KL divergence from the uniform prior over words, `[b, branches]`, in nats (equation 18)."""
        parts = tf.split(bernoulli_kl(self.logits), self.branches, axis=-1)
        return tf.stack([tf.reduce_sum(part, axis=-1) for part in parts], axis=-1)

    def draw(self, seed):
        """One word from the posterior, `[b, M]`, tf.int32."""
        return tf.cast(uniform(1, self.logits, seed)[0] < tf.sigmoid(self.logits), tf.int32)

    def latents(self, beta, seed, samples=()):
        """Smoothed code bits from the softly encoded posterior (equation 5), differentiable in the logits.

        Args:
          beta: `float`, inverse temperature.
          seed: `int32 [2]`.
          samples: sample shape, such as `10`; a single sample without a sample axis by default.

        Returns:
          z `[*samples, b, D]`, tf.float32 in [0, 1].
        """
        return SmoothedBernoulli(self.code.soft_encode(self.logits), beta).sample(samples, seed=seed)


class WordPosterior:
    """A categorical over the 2^M codewords: `q(c_i | x)` in proportion to the encoder's `q^u(c_i | x)` (equation 22).

    Valid for any code; for a code whose information bits are independent given the evidence (uncoded, repetition) it is
    the same distribution as `BitPosterior`. Words are drawn, which is not differentiable: see
    `objectives.leave_one_out`.

    Args:
      code: `tfcoded.codes.Code` of at most 12 information bits.
      code_logits: `[b, D]`, tf.float32, the encoder's logits of the code bits.

    Attributes:
      log_probabilities: `[b, 2^M]`, in the order of `code.codebook`.
      logits: `[b, M]`, log-odds of the information bits, the marginals.
      branches: `(M,)`: the word is one whole.

    #### References

    [1]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025,
         appendix N.
    """

    def __init__(self, code, code_logits):
        self.code = code
        self.branches = (code.information_bits,)
        self.log_probabilities = tf.nn.log_softmax(code.word_scores(code_logits))

    @property
    def logits(self):
        return information_marginals(self.log_probabilities, self.code.information_bits)

    def most_probable(self):
        """The most probable word, `[b, M]`, tf.int32."""
        return self._bits(tf.argmax(self.log_probabilities, axis=-1, output_type=tf.int32))

    def log_probability_of_most_probable(self):
        """Its log-probability, `[b]`, in nats."""
        return tf.reduce_max(self.log_probabilities, axis=-1)

    def entropy(self):
        """Entropy of the word, `[b]`, in nats."""
        probabilities = tf.exp(self.log_probabilities)
        possible = tf.where(probabilities > 0, self.log_probabilities, 0.0)  # 0 log 0 = 0
        return -tf.reduce_sum(probabilities * possible, axis=-1)

    def kl_branches(self):
        """KL divergence from the uniform prior over words, exact, `[b, 1]`, in nats."""
        return (self.code.information_bits * math.log(2.0) - self.entropy())[:, tf.newaxis]

    def draw(self, seed):
        """One word from the posterior, `[b, M]`, tf.int32."""
        return self._bits(self.draw_numbers(1, seed)[0])

    def draw_numbers(self, samples, seed):
        """Words from the posterior, as their places in the codebook.

        Args:
          samples: `int`, words per image.
          seed: `int32 [2]`.

        Returns:
          `[samples, b]`, tf.int32.
        """
        cumulative = tf.cumsum(tf.exp(self.log_probabilities), axis=-1)
        last = cumulative[:, -1:]  # 1 but for rounding
        noise = tf.transpose(uniform(samples, last[:, 0], seed))
        numbers = tf.searchsorted(cumulative, noise * last, side="right")
        return tf.transpose(tf.minimum(numbers, 2**self.code.information_bits - 1))

    def latents_of(self, numbers, beta, seed):
        """Smoothed code bits of given words.

        Args:
          numbers: integer tensor of any shape, places in the codebook.
          beta: `float`, inverse temperature.
          seed: `int32 [2]`.

        Returns:
          z `[..., D]`, of the posterior's dtype, in [0, 1].
        """
        return modulate(self.code, self._bits(numbers), beta, seed, self.log_probabilities.dtype)

    def latents(self, beta, seed):
        """Smoothed code bits of one word from the posterior, z `[b, D]`, without a gradient."""
        numbers = self.draw_numbers(1, seeds.derive(seed, _WORD))[0]
        return self.latents_of(numbers, beta, seeds.derive(seed, _SMOOTHING))

    def _bits(self, numbers):
        return tf.gather(tf.constant(all_words(self.code.information_bits), tf.int32), numbers)


def posterior_of(objective):
    """`WordPosterior` or `BitPosterior`, which of them an objective or its settings work on."""
    return WordPosterior if objective.over_words else BitPosterior
