"""Error-correcting codes: hard encoding, soft encoding and soft decoding, in logits.

TensorFlow is imported when a code is used, not with this package: configurations ask it which codes there are.
"""

from tfcoded.codes.box_plus import box_plus, soft_xor
from tfcoded.codes.code import Code
from tfcoded.codes.hierarchical import Hierarchical, HierarchicalSettings
from tfcoded.codes.limits import DECODED_BITS, LISTED_BITS, TABLED_BITS
from tfcoded.codes.random_code import RandomCode, RandomCodeSettings
from tfcoded.codes.repetition import Repetition, RepetitionSettings
from tfcoded.codes.settings import CodeSettings
from tfcoded.codes.uncoded import Uncoded, UncodedSettings

__all__ = [
    "Code",
    "CodeSettings",
    "DECODED_BITS",
    "Hierarchical",
    "HierarchicalSettings",
    "LISTED_BITS",
    "RandomCode",
    "RandomCodeSettings",
    "Repetition",
    "RepetitionSettings",
    "TABLED_BITS",
    "Uncoded",
    "UncodedSettings",
    "box_plus",
    "register",
    "soft_xor",
]

register = CodeSettings.register
register(UncodedSettings)
register(RepetitionSettings)
register(HierarchicalSettings)
register(RandomCodeSettings)
