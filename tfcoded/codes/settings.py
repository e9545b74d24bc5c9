"""What configurations say of codes."""

from typing import Any, ClassVar

from tfcoded.codes.code import Code
from tfcoded.utils.errors import UserError
from tfcoded.utils.kinds import KindOfSection
from tfcoded.utils.registry import Registry
from tfcoded.utils.sections import Integer


class CodeSettings(KindOfSection):
    """The section `code` of a configuration; every code has a subclass with fields of its own.

    A subclass has `information_bits` and `code_bits`, as fields or properties: `int`, or a tuple with one for each
    branch. A new code is a `Code`, a subclass of this, and `codes.register`:

    ```python
    @codes.register
    class HammingSettings(codes.CodeSettings):
        kind: Literal["hamming"] = "hamming"
        copies: Integer = 1
        makes: ClassVar = Hamming  # Hamming(copies=1)
        information_bits: ClassVar = 4

        @property
        def code_bits(self):
            return 7 * self.copies
    ```

    Attributes:
      kind: the code's name.
      makes: the code's class.
      coded: `bool`, false if the code bits are the information bits themselves.
    """

    _place: ClassVar[str] = "code."
    kinds: ClassVar[Registry] = Registry("code")
    makes: ClassVar[type[Code]]
    coded: ClassVar[bool] = True

    @property
    def branches(self) -> tuple[int, ...]:
        """Information bits of every branch."""
        return _as_tuple(self.information_bits)

    @property
    def branch_code_bits(self) -> tuple[int, ...]:
        """Code bits of every branch."""
        return _as_tuple(self.code_bits)

    @property
    def description(self) -> str:
        """The code in words, for cards."""
        return self.kind

    def copies_of_bits(self) -> tuple[int, ...]:
        """For every branch, how often the code repeats each information bit, if that is all it does.

        Raises:
          UserError: if it is not, saying why.
        """
        raise UserError(f"a {self.kind} code does not repeat bits")

    def arguments(self) -> dict[str, Any]:
        """Arguments of the code's constructor; by default all fields but `kind`."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}

    def build(self) -> Code:
        """The code.

        Raises:
          ValueError: if there is none, such as for a seed that gives two equal codewords.
        """
        return self.makes(**self.arguments())


class OneBranch(CodeSettings):
    """Settings of a code that is no chain of others.

    Attributes:
      information_bits: M. A tuple of one number, and stored as such.
      code_bits: D, likewise.
    """

    information_bits: tuple[Integer, ...]
    code_bits: tuple[Integer, ...]

    def arguments(self):
        """See `CodeSettings.arguments`."""
        return super().arguments() | self._bits()

    def to_dict(self):
        """See `Section.to_dict`."""
        return super().to_dict() | self._bits()

    def _bits(self):
        return {"information_bits": self.information_bits[0], "code_bits": self.code_bits[0]}

    def _check(self):
        require_positive(self)
        for key in ("information_bits", "code_bits"):
            self._require(len(getattr(self, key)) == 1, key, f"a single number, as code.kind is {self.kind!r}")


def require_positive(settings):
    """Refuses numbers of bits that are not positive."""
    for key in ("information_bits", "code_bits"):
        bits = getattr(settings, key)
        settings._require(bits and min(bits) >= 1, key, "positive numbers of bits")


def require_multiples(settings):
    """Refuses branches whose code bits are not a multiple of their information bits."""
    for information, code in zip(settings.information_bits, settings.code_bits, strict=True):
        nearest = information * max(1, round(code / information))
        settings._require(
            code % information == 0,
            "code_bits",
            f"a multiple of information_bits such as {nearest}: every bit is repeated equally often",
        )


def _as_tuple(bits):
    return bits if isinstance(bits, tuple) else (bits,)
