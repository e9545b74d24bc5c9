"""The repetition code."""

import math
from typing import ClassVar, Literal

from tfcoded.codes.code import Code
from tfcoded.codes.evidence import add_up
from tfcoded.codes.settings import OneBranch, require_multiples
from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")
tf = LazyModule("tensorflow")


class Repetition(Code):
    """Every information bit is sent L = D/M times, the copies side by side.

    Bit k is copied to columns L k, ..., L (k+1) - 1 (equation 7). Soft decoding multiplies the probabilities
    of the copies and normalises (equation 11); in logits that is their sum, and it is the exact posterior.
    Infinite logits outweigh all finite ones, and as many of one sign as of the other cancel. Soft encoding
    copies the logits.

    Attributes:
      repetitions: `int`, L.

    Example:

    ```python
    code = Repetition(information_bits=3, code_bits=6)
    code.generator_matrix
    # [[1, 1, 0, 0, 0, 0],
    #  [0, 0, 1, 1, 0, 0],
    #  [0, 0, 0, 0, 1, 1]]
    ```

    #### References

    Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes, UAI
    2025, section 4.
    """

    def __init__(self, information_bits, code_bits):
        """Creates the code.

        Args:
          information_bits: positive `int`, M.
          code_bits: positive `int`, D, a multiple of M.

        Raises:
          ValueError: if either is not a positive integer, or D is not a multiple of M.
        """
        super().__init__(information_bits, code_bits)
        if self.code_bits % self.information_bits:
            raise ValueError(
                f"code_bits must be a multiple of information_bits (the same number of copies of every bit),"
                f" got {self.code_bits} and {self.information_bits}"
            )
        self.repetitions = self.code_bits // self.information_bits

    @property
    def minimum_distance(self):
        """`int`, the number of copies L."""
        return self.repetitions

    def get_config(self):
        return {"information_bits": self.information_bits, "code_bits": self.code_bits}

    def _encode(self, bits):
        # tf.repeat would need to know the rank.
        shape = tf.shape(bits)
        copies = tf.broadcast_to(bits[..., tf.newaxis], tf.concat([shape, [self.repetitions]], axis=0))
        return tf.reshape(copies, tf.concat([shape[:-1], [self.code_bits]], axis=0))

    def _soft_encode(self, logits):
        return self._encode(logits)

    def _soft_decode(self, logits):
        shape = tf.concat([tf.shape(logits)[:-1], [self.information_bits, self.repetitions]], axis=0)

        def add(x):
            return tf.reduce_sum(tf.reshape(x, shape), axis=-1)

        finite, scale, certain = add_up(logits, add, self.repetitions)
        infinity = tf.constant(math.inf, logits.dtype)
        return tf.where(certain == 0, scale * finite, tf.where(certain > 0, infinity, -infinity))

    def _generator_matrix(self):
        return np.repeat(np.eye(self.information_bits, dtype=np.uint8), self.repetitions, axis=1)


class RepetitionSettings(OneBranch):
    """A repetition code; the code bits are a multiple of the information bits."""

    kind: Literal["repetition"] = "repetition"

    makes: ClassVar = Repetition

    @property
    def description(self):
        """See `CodeSettings.description`."""
        return f"repetition, every bit {self.copies_of_bits()[0]} times"

    def copies_of_bits(self):
        """See `CodeSettings.copies_of_bits`."""
        return (self.code_bits[0] // self.information_bits[0],)

    def _check(self):
        super()._check()
        require_multiples(self)
