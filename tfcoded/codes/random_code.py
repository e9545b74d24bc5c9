"""Random codes: codewords drawn by coin flips, decoded by enumeration."""

import functools
from typing import ClassVar, Literal

from tfcoded.codes.code import Code
from tfcoded.codes.codebook import all_words, information_marginals, word_numbers, word_scores
from tfcoded.codes.limits import TABLED_BITS
from tfcoded.codes.settings import OneBranch
from tfcoded.utils.lazy import LazyModule
from tfcoded.utils.sections import Integer

np = LazyModule("numpy")
tf = LazyModule("tensorflow")

# Of a probability whose logarithm is taken: far enough from the smallest float64 for its reciprocal and sums of such.
_SMALLEST = 1e-301


class RandomCode(Code):
    """2^M codewords of D independent fair bits each, drawn once from a seed.

    Random codes are the ones for which Shannon proved that reliable communication is possible at any rate below
    capacity. They have no structure to decode by, so everything here enumerates the 2^M codewords, in one matrix
    product; hence M is at most 12. The code is not linear: it has no generator matrix.

    Soft decoding gives the exact marginals of the information bits, soft encoding those of the code bits (as
    log-odds of at most 694). Neither says how the bits depend on each other, which for a random code matters:
    `tfcoded.models.WordPosterior` keeps the distribution over whole words.

    Attributes:
      seed: `int`; the same seed gives the same codebook, on any machine and with any version of NumPy.

    Example:

    ```python
    code = RandomCode(information_bits=5, code_bits=50)
    code.minimum_distance                  # 14: any 6 flipped code bits can be corrected
    code.encode([[1, 0, 1, 1, 0]])         # [1, 50]
    ```

    #### References

    [1] Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes,
        UAI 2025, appendix N.
    [2] Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 27, 1948.
    """

    independent_bits = False

    def __init__(self, information_bits, code_bits, seed=0):
        """Draws the codebook.

        Args:
          information_bits: positive `int` of at most 12, M.
          code_bits: positive `int`, D.
          seed: `int` in [0, 2^32).

        Raises:
          ValueError: if a number is out of range, or two codewords come out equal.
        """
        super().__init__(information_bits, code_bits)
        if self.information_bits > TABLED_BITS:
            raise ValueError(
                f"a random code is decoded by enumerating its 2^M codewords: information_bits must be at most"
                f" {TABLED_BITS}, got {self.information_bits}; larger codes need structure, such as Repetition"
            )
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
            raise ValueError(f"seed must be an integer from 0 to 2^32 - 1, got {seed!r}")
        self.seed = int(seed)
        # RandomState because NumPy promises that its stream never changes; its Generator comes without that promise.
        shape = [2**self.information_bits, self.code_bits]
        self._codewords = np.random.RandomState(self.seed).randint(0, 2, shape).astype(np.uint8)
        if self.minimum_distance == 0:
            raise ValueError(
                f"seed {self.seed} gives two equal codewords of {self.code_bits} bits; choose another seed or more"
                " code bits"
            )

    @property
    def codebook(self):
        return self._codewords.copy()

    @functools.cached_property
    def minimum_distance(self):
        """`int`, the least Hamming distance of two codewords, by comparing all pairs."""
        signs = 1.0 - 2.0 * self._codewords.astype(np.float32)
        agreement = signs @ signs.T  # D - 2 distance, exact in float32
        np.fill_diagonal(agreement, -self.code_bits)
        return int(self.code_bits - agreement.max()) // 2

    def get_config(self):
        return {"information_bits": self.information_bits, "code_bits": self.code_bits, "seed": self.seed}

    def _encode(self, bits):
        return tf.gather(tf.cast(self._codewords, bits.dtype), word_numbers(bits))

    def _soft_encode(self, logits):
        # log p(word) but for the sum of softplus(l), which all words share.
        probabilities = tf.nn.softmax(word_scores(tf.cast(logits, tf.float64), all_words(self.information_bits)))
        ones = tf.matmul(probabilities, tf.cast(self._codewords, tf.float64))
        zeros = tf.matmul(probabilities, tf.cast(1 - self._codewords, tf.float64))
        odds = tf.math.log(tf.maximum(ones, _SMALLEST)) - tf.math.log(tf.maximum(zeros, _SMALLEST))
        return tf.cast(odds, logits.dtype)

    def _soft_decode(self, logits):
        return information_marginals(self.word_scores(logits), self.information_bits)

    def _generator_matrix(self):
        return None


class RandomCodeSettings(OneBranch):
    """A random code.

    Attributes:
      seed: of the codebook.
    """

    kind: Literal["random"] = "random"
    seed: Integer = 0

    makes: ClassVar = RandomCode

    @property
    def description(self):
        """See `CodeSettings.description`."""
        return f"random codebook of {2 ** self.information_bits[0]:,} words (seed {self.seed})"

    def _check(self):
        super()._check()
        self._require(
            self.information_bits[0] <= TABLED_BITS,
            "information_bits",
            f"at most {TABLED_BITS}, as a random code is decoded by enumerating its codewords",
        )
        self._require(self.seed >= 0, "seed", "an integer from 0 to 2^32 - 1")
