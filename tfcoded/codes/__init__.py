"""Error-correcting codes: hard encoding, soft encoding and soft decoding, in logits."""

import difflib

from tfcoded.codes.box_plus import box_plus, soft_xor
from tfcoded.codes.code import Code
from tfcoded.codes.hierarchical import Hierarchical
from tfcoded.codes.random_code import RandomCode
from tfcoded.codes.repetition import Repetition
from tfcoded.codes.uncoded import Uncoded

__all__ = ["Code", "Hierarchical", "RandomCode", "Repetition", "Uncoded", "box_plus", "build", "soft_xor"]

_KINDS = ("uncoded", "repetition", "hierarchical", "random")


def build(kind, information_bits, code_bits, polar=True, seed=0):
    """Builds a code from what a configuration says.

    ```python
    build("repetition", (8,), (240,))  # Repetition(information_bits=8, code_bits=240)
    ```

    Args:
      kind: `str`, "uncoded", "repetition", "hierarchical" or "random".
      information_bits: sequence of `int`, one per branch; only a hierarchical code has more than one.
      code_bits: sequence of `int`, one per branch.
      polar: `bool`, for a hierarchical code: whether a branch carries the exclusive or with the one before.
      seed: `int`, for a random code: of its codebook.

    Returns:
      A `Code`.

    Raises:
      ValueError: if the kind is unknown, or the sizes do not make a code of that kind.
    """
    if kind not in _KINDS:
        close = difflib.get_close_matches(str(kind), _KINDS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown code {kind!r}; {hint}the kinds are {', '.join(_KINDS)}")
    if kind == "hierarchical":
        return Hierarchical(information_bits, code_bits, polar)
    information_bits = tuple(information_bits)
    code_bits = tuple(code_bits)
    if len(information_bits) != 1 or len(code_bits) != 1:
        raise ValueError(
            f"{kind} code has one branch, got information_bits={information_bits} and code_bits={code_bits};"
            f" several branches make a hierarchical code"
        )
    if kind == "repetition":
        return Repetition(information_bits[0], code_bits[0])
    if kind == "random":
        return RandomCode(information_bits[0], code_bits[0], seed)
    if information_bits != code_bits:
        raise ValueError(
            f"an uncoded model has as many code bits as information bits, got {code_bits[0]} and {information_bits[0]}"
        )
    return Uncoded(information_bits[0])
