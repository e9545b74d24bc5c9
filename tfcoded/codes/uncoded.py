"""No code at all."""

from typing import ClassVar, Literal

from tfcoded.codes.code import Code
from tfcoded.codes.settings import OneBranch
from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")


class Uncoded(Code):
    """The identity: every code bit is an information bit (rate 1). The plain discrete VAE.

    Example:

    ```python
    Uncoded(information_bits=8).encode(bits)  # bits
    ```
    """

    def __init__(self, information_bits):
        """Creates the code.

        Args:
          information_bits: positive `int`, M = D.

        Raises:
          ValueError: if it is not a positive integer.
        """
        super().__init__(information_bits, information_bits)

    @property
    def minimum_distance(self):
        """`int`, 1."""
        return 1

    def get_config(self):
        return {"information_bits": self.information_bits}

    def _encode(self, bits):
        return bits

    def _soft_encode(self, logits):
        return logits

    def _soft_decode(self, logits):
        return logits

    def _generator_matrix(self):
        return np.eye(self.information_bits, dtype=np.uint8)


class UncodedSettings(OneBranch):
    """No code at all; as many code bits as information bits."""

    kind: Literal["uncoded"] = "uncoded"

    makes: ClassVar = Uncoded
    coded: ClassVar = False

    @property
    def description(self):
        """See `CodeSettings.description`."""
        return "none: every bit is sent once"

    def copies_of_bits(self):
        """See `CodeSettings.copies_of_bits`."""
        return (1,)

    def arguments(self):
        """See `CodeSettings.arguments`."""
        return {"information_bits": self.information_bits[0]}

    def _check(self):
        super()._check()
        self._require(
            self.code_bits == self.information_bits,
            "code_bits",
            f"{self.information_bits[0]}, like information_bits, as code.kind is 'uncoded'",
        )
