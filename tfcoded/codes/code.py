"""What every error-correcting code offers."""

import abc
import functools
import numbers

from tfcoded.codes.bits import check_bits
from tfcoded.codes.codebook import all_words, word_scores
from tfcoded.codes.limits import LISTED_BITS
from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")
tf = LazyModule("tensorflow")

_CHUNK = 4096


class Code(abc.ABC):
    """A binary code from M information bits to D code bits, with soft encoding and soft decoding.

    A code is a plain Python object without variables: functions of tensors, the same in eager mode, in a
    `tf.function` and under XLA. "Soft" functions take and give logits, log P(1)/P(0), one per bit, and are
    differentiable.

    Subclasses implement `_encode`, `_soft_encode`, `_soft_decode`, `_generator_matrix` and `get_config`.

    Attributes:
      information_bits: `int`, M.
      code_bits: `int`, D.
      independent_bits: `bool`, whether `soft_decode` is all there is to know: false where information bits depend on each
        other given the evidence, so that only a distribution over whole words will do.
      branches: `tuple` of `int`, information bits per branch; `(M,)` unless the code is hierarchical. The
        information bits are the concatenation of the branches: `tf.split(logits, code.branches, axis=-1)`.

    Example:

    ```python
    code = Repetition(information_bits=3, code_bits=6)
    code.encode([[1, 0, 1]])                        # [[1, 1, 0, 0, 1, 1]]
    code.soft_decode([[2., -1., 0., 0., 3., 3.]])   # [[1., 0., 6.]]
    ```
    """

    independent_bits = True

    def __init__(self, information_bits, code_bits):
        """Stores the lengths.

        Args:
          information_bits: positive `int`, M.
          code_bits: positive `int`, D.

        Raises:
          ValueError: if either is not a positive integer.
        """
        self.information_bits = positive_integer(information_bits, "information_bits")
        self.code_bits = positive_integer(code_bits, "code_bits")
        self.branches = (self.information_bits,)

    @property
    def rate(self):
        """`float`, information bits per code bit, M/D."""
        return self.information_bits / self.code_bits

    def encode(self, bits):
        """Encodes words.

        Args:
          bits: tensor [..., M] of 0 and 1 of any integer, floating-point or boolean type.

        Returns:
          Codewords [..., D], same dtype.

        Raises:
          ValueError: if the last dimension is not M, or one of the bits is neither 0 nor 1 (which is not looked at in a
            graph, where the values are unknown).
        """
        bits = tf.convert_to_tensor(bits)
        self._check(bits, "encode", "bits", self.information_bits, "information bits")
        check_bits(bits, f"encode of {self!r}")
        return self._encode(bits)

    def soft_encode(self, logits):
        """Marginals of the code bits, if the information bits are independent.

        Args:
          logits: floating-point tensor [..., M], log-odds of the information bits.

        Returns:
          Log-odds of the code bits [..., D], same dtype. Correlations between code bits are not in it.

        Raises:
          ValueError: if the last dimension is not M, or `logits` is not floating point.
        """
        logits = tf.convert_to_tensor(logits)
        self._check(logits, "soft_encode", "logits", self.information_bits, "information bits")
        _check_floating(logits, "soft_encode")
        return self._soft_encode(logits)

    def soft_decode(self, logits):
        """Marginals of the information bits, from independent evidence on the code bits.

        Args:
          logits: floating-point tensor [..., D], log-odds of the code bits without regard to the code.

        Returns:
          Log-odds of the information bits [..., M], same dtype.

        Raises:
          ValueError: if the last dimension is not D, or `logits` is not floating point.
        """
        logits = tf.convert_to_tensor(logits)
        self._check(logits, "soft_decode", "logits", self.code_bits, "code bits")
        _check_floating(logits, "soft_decode")
        return self._soft_decode(logits)

    @functools.cached_property
    def generator_matrix(self):
        """`np.uint8` array [M, D] of 0 and 1 (read-only): `encode(m) = m G mod 2`; `None` if the code is not linear."""
        matrix = self._generator_matrix()
        if matrix is not None:
            matrix.setflags(write=False)
        return matrix

    @property
    def codebook(self):
        """All 2^M codewords in the order of `tfcoded.codes.codebook.all_words`, `np.uint8` array [2^M, D].

        Raises:
          ValueError: if M is above 16.
        """
        if self.information_bits > LISTED_BITS:
            raise ValueError(
                f"{self!r} has 2^{self.information_bits} codewords; they are only listed for at most"
                f" {LISTED_BITS} information bits"
            )
        return all_words(self.information_bits) @ self.generator_matrix % 2

    def word_scores(self, logits):
        """Unnormalized log-probabilities of all codewords, given independent evidence on the code bits.

        `log prod_j P(c_j)` but for a term that all codewords share: the sum of the logits of a codeword's ones
        (equation 22 before its normalization), see `tfcoded.codes.codebook.word_scores`.

        Args:
          logits: floating-point tensor [..., D], log-odds of the code bits without regard to the code.

        Returns:
          [..., 2^M], same dtype, in the order of `codebook`; -inf for codewords that are impossible.

        Raises:
          ValueError: if M is above 16, the last dimension is not D, or `logits` is not floating point.
        """
        logits = tf.convert_to_tensor(logits)
        self._check(logits, "word_scores", "logits", self.code_bits, "code bits")
        _check_floating(logits, "word_scores")
        return word_scores(logits, self.codebook)

    @functools.cached_property
    def minimum_distance(self):
        """`int`, the least Hamming distance of two different codewords, or `None` where it is not known.

        By enumeration up to 16 information bits; codes that know theirs override it.
        """
        if self.information_bits > LISTED_BITS:
            return None
        # Equal columns are counted once: the work does not grow with the number of repetitions.
        columns, counts = np.unique(self.generator_matrix, axis=1, return_counts=True)
        shifts = np.arange(self.information_bits)
        smallest = self.code_bits
        for start in range(1, 2**self.information_bits, _CHUNK):
            words = np.arange(start, min(start + _CHUNK, 2**self.information_bits))
            bits = (words[:, np.newaxis] >> shifts) & 1
            weights = (bits @ columns.astype(np.int64) % 2) @ counts
            smallest = min(smallest, int(weights.min()))
        return smallest

    @abc.abstractmethod
    def get_config(self):
        """The constructor's arguments as a `dict` of plain Python values."""

    @classmethod
    def from_config(cls, config):
        """Builds a code equal to the one whose `get_config()` is given."""
        return cls(**config)

    @abc.abstractmethod
    def _encode(self, bits):
        """`encode` of a checked tensor."""

    @abc.abstractmethod
    def _soft_encode(self, logits):
        """`soft_encode` of a checked tensor."""

    @abc.abstractmethod
    def _soft_decode(self, logits):
        """`soft_decode` of a checked tensor."""

    @abc.abstractmethod
    def _generator_matrix(self):
        """A new `np.uint8` array [M, D], or `None` if the code is not linear."""

    def _check(self, tensor, function, argument, size, meaning):
        shape = tensor.shape
        if shape.rank == 0 or (shape.rank is not None and shape[-1] not in (None, size)):
            raise ValueError(
                f"{function} of {self!r} expects {argument} of shape [..., {size}], got {shape}:"
                f" the last dimension must be the code's {size} {meaning}"
            )

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash(repr(self))

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def positive_integer(value, name):
    """`value` as an `int`; a `ValueError` naming `name` if it is not a positive integer."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value <= 0:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def _check_floating(logits, function):
    if not logits.dtype.is_floating:
        raise ValueError(f"{function} takes floating-point logits, got {logits.dtype.name}; encode takes hard bits")
