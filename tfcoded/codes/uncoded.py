"""No code at all."""

import numpy as np

from tfcoded.codes.code import Code


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
