"""Branches of repetition codes, chained by an exclusive or."""

from typing import ClassVar, Literal

from tfcoded.codes.box_plus import soft_xor
from tfcoded.codes.code import Code
from tfcoded.codes.repetition import Repetition
from tfcoded.codes.settings import CodeSettings, require_multiples, require_positive
from tfcoded.utils.errors import UserError
from tfcoded.utils.lazy import LazyModule
from tfcoded.utils.sections import Integer

np = LazyModule("numpy")
tf = LazyModule("tensorflow")


class Hierarchical(Code):
    """Branches m_1, m_2, ... of information bits, each with its own repetition code, chained ("polar").

    Branch 1 carries u_1 = m_1, and branch i >= 2 carries the word u_i = m_{i-1} A_i xor m_i (the information
    bits of the branch before, not what that branch carried). A_i [M_{i-1}, M_i] lets branches of different
    sizes follow each other: its column k has a single one, in row k mod M_{i-1}; it is the identity for equal
    sizes. With `polar=False` there is no exclusive or, u_i = m_i.

    *Soft decoding*: the logits of the copies are summed to those of u_i, as in any repetition code; then
    `m_1 = u_1` and `m_i = u_i xor m_{i-1} A_i`, with the probabilities of an exclusive or of independent bits
    (equations 14 and 15). As the map from the words m to the words u is one-to-one, u_1, u_2, ... are
    independent given independent evidence on the code bits, and the result is the exact posterior marginal of
    every bit, for any number of branches.

    *Soft encoding*: the probabilities of u_i from those of m_{i-1} and m_i, again as of independent bits
    (equations 16 and 17), copied.

    Information bits and code bits are the concatenations over branches, in order.

    Attributes:
      branches: `tuple` of `int`, information bits per branch, M_1, M_2, ...
      branch_code_bits: `tuple` of `int`, code bits per branch.
      polar: `bool`.
      information_bits, code_bits: `int`, the sums over branches.

    Example:

    ```python
    code = Hierarchical(information_bits=(2, 2), code_bits=(2, 4))
    code.generator_matrix
    # [[1, 0, 1, 1, 0, 0],
    #  [0, 1, 0, 0, 1, 1],
    #  [0, 0, 1, 1, 0, 0],
    #  [0, 0, 0, 0, 1, 1]]
    m1, m2 = tf.split(code.soft_decode(logits), code.branches, axis=-1)
    ```

    #### References

    [1] Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes,
        UAI 2025, appendices J and Q.
    [2] Arikan, Channel Polarization, IEEE Transactions on Information Theory 55(7), 2009.
    """

    def __init__(self, information_bits=(5, 5), code_bits=(50, 50), polar=True):
        """Creates the code.

        Args:
          information_bits: sequence of positive `int`, information bits per branch.
          code_bits: sequence of positive `int`, code bits per branch, multiples of the information bits.
          polar: `bool`, whether a branch carries the exclusive or with the branch before.

        Raises:
          ValueError: if there is no branch, the two sequences differ in length, an entry is not a positive
            integer, or a branch's code bits are not a multiple of its information bits.
        """
        information_bits = _branches(information_bits, "information_bits")
        code_bits = _branches(code_bits, "code_bits")
        if len(information_bits) != len(code_bits):
            raise ValueError(
                f"information_bits and code_bits must have one entry per branch, got {information_bits} and {code_bits}"
            )
        if not isinstance(polar, (bool, np.bool_)):
            raise ValueError(f"polar must be True or False, got {polar!r}")
        repetitions = []
        for branch, (m, d) in enumerate(zip(information_bits, code_bits), start=1):
            try:
                repetitions.append(Repetition(m, d))
            except ValueError as error:
                raise ValueError(f"branch {branch}: {error}") from None
        super().__init__(sum(information_bits), sum(code_bits))
        self._repetitions = tuple(repetitions)
        self.branches = tuple(code.information_bits for code in repetitions)
        self.branch_code_bits = tuple(code.code_bits for code in repetitions)
        self.polar = bool(polar)

    @property
    def minimum_distance(self):
        """`int`, the least number of copies of any branch.

        The exclusive or renames the codewords and leaves the set of them as it is: the words u take all
        values.
        """
        return min(code.repetitions for code in self._repetitions)

    def get_config(self):
        return {"information_bits": self.branches, "code_bits": self.branch_code_bits, "polar": self.polar}

    def _encode(self, bits):
        return self._chain(bits, _hard_xor)

    def _soft_encode(self, logits):
        return self._chain(logits, soft_xor)

    def _chain(self, messages, xor):
        """The words u of the messages m, each encoded by its branch's code."""
        codewords = []
        messages = tf.split(messages, self.branches, axis=-1)
        for branch, (code, word) in enumerate(zip(self._repetitions, messages)):
            if self.polar and branch > 0:
                word = xor(self._cycle(messages[branch - 1], branch), word)
            codewords.append(code._encode(word))
        return tf.concat(codewords, axis=-1)

    def _soft_decode(self, logits):
        messages = []
        evidence = tf.split(logits, self.branch_code_bits, axis=-1)
        for branch, code in enumerate(self._repetitions):
            message = code.soft_decode(evidence[branch])
            if self.polar and branch > 0:
                message = soft_xor(self._cycle(messages[-1], branch), message)
            messages.append(message)
        return tf.concat(messages, axis=-1)

    def _cycle(self, before, branch):
        """`m A` for the word m of the branch before: repeated cyclically, or cut, to the size of `branch`."""
        length, size = self.branches[branch - 1], self.branches[branch]
        if length == size:
            return before
        # Not a gather, whose gradient is a scatter.
        return tf.concat([before] * -(-size // length), axis=-1)[..., :size]

    def _generator_matrix(self):
        matrix = np.zeros([self.information_bits, self.code_bits], np.uint8)
        row = column = 0
        for branch, code in enumerate(self._repetitions):
            block = code.generator_matrix
            rows, columns = block.shape
            matrix[row : row + rows, column : column + columns] = block
            if self.polar and branch > 0:
                before = self.branches[branch - 1]
                cyclic = np.arange(before)[:, np.newaxis] == np.arange(rows) % before  # A_i
                matrix[row - before : row, column : column + columns] = cyclic.astype(np.uint8) @ block
            row += rows
            column += columns
        return matrix


class HierarchicalSettings(CodeSettings):
    """A hierarchical code.

    Attributes:
      information_bits: M of every branch, a tuple of at least two `int`.
      code_bits: D of every branch, likewise, multiples of M.
      polar: whether branch i >= 2 carries `m_{i-1} xor m_i` (else `m_i`).
    """

    kind: Literal["hierarchical"] = "hierarchical"
    information_bits: tuple[Integer, ...]
    code_bits: tuple[Integer, ...]
    polar: bool = True

    makes: ClassVar = Hierarchical

    @property
    def description(self):
        """See `CodeSettings.description`."""
        pairs = zip(self.information_bits, self.code_bits, strict=True)
        branches = " and ".join(f"{bits} bits in {sent}" for bits, sent in pairs)
        polar = "; each later branch carries its bits xor those of the branch before" if self.polar else ""
        return f"hierarchical, branches of {branches}{polar}"

    def copies_of_bits(self):
        """See `CodeSettings.copies_of_bits`."""
        if self.polar:
            raise UserError("branches chained by an exclusive or have no independent bit probabilities")
        return tuple(code // bits for bits, code in zip(self.information_bits, self.code_bits, strict=True))

    def _check(self):
        require_positive(self)
        self._require(
            len(self.information_bits) >= 2,
            "information_bits",
            "one number for each of at least two branches, such as [5, 5] (if one: kind 'repetition')",
        )
        self._require(
            len(self.code_bits) == len(self.information_bits),
            "code_bits",
            f"one number per branch, {len(self.information_bits)} as in information_bits",
        )
        require_multiples(self)


def _branches(sizes, name):
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__len__") or len(sizes) == 0:
        raise ValueError(f"{name} must be a non-empty sequence with one integer per branch, got {sizes!r}")
    return tuple(sizes)


def _hard_xor(a, b):
    # For every dtype, booleans and floating point included.
    return tf.cast(tf.not_equal(a, b), b.dtype)
