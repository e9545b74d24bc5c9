"""Sections of which there are several kinds, each a class of its own: a union that is told apart by the key `kind`."""

from typing import Any, ClassVar, Self, TypeVar

from pydantic_core import PydanticUndefined

from tfcoded.utils.registry import Registry
from tfcoded.utils.sections import ConfigError, Section, one_of, plain, show

Kind = TypeVar("Kind", bound="type[KindOfSection]")


class KindOfSection(Section):
    """Base of sections with a key `kind`, of which every kind has fields of its own.

    The base of a sort of section holds its registry, a kind its name:

    ```python
    class CodeSettings(KindOfSection):
        _place: ClassVar[str] = "code."
        kinds: ClassVar[Registry] = Registry("code")


    @CodeSettings.register
    class Repetition(CodeSettings):
        kind: Literal["repetition"] = "repetition"
        copies: Integer = 3


    CodeSettings.read({"kind": "repetition", "copies": 5})  # a `Repetition`
    ```

    Attributes:
      kinds: the registry.
      default_kind: the kind of a mapping that names none, or `None` if it must.
    """

    kinds: ClassVar[Registry]
    default_kind: ClassVar[str | None] = None

    kind: str

    @classmethod
    def register(cls, section: Kind) -> Kind:
        """Adds a kind, named by the default of its field `kind`; returns it, so that it may decorate the class.

        Raises:
          ValueError: if another kind has that name.
        """
        return cls.kinds.register(section.model_fields["kind"].default, section)

    @classmethod
    def read(cls, values: Any) -> Self:
        """Makes a section of a mapping, of the class of its kind.

        What is a setting of other kinds only must have its default there, and is left out.

        Raises:
          ConfigError: see `Section.read`; if there is no such kind.
        """
        if "kinds" not in vars(cls) or not isinstance(values, dict):
            return super().read(values)
        kind = values.get("kind", cls.default_kind)
        if kind is None and "kind" not in values:
            raise ConfigError(f"{cls._where()} has no key 'kind', which is required")
        if not isinstance(kind, str) or kind not in cls.kinds:
            raise ConfigError(
                f"{cls._place}kind is {show(kind)}; expected {one_of(cls.kinds, kind)}; a kind of a module of your own needs"
                " --plugin=MODULE"
            )
        chosen = cls.kinds[kind]
        foreign = [key for key in values if key not in chosen.model_fields and key in cls.keys()]
        for key in foreign:
            cls._require_foreign_default(key, values[key])
        return chosen.read({key: value for key, value in values.items() if key not in foreign})

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Names of all settings, of the base those of every kind."""
        if "kinds" not in vars(cls):
            return super().keys()
        return tuple(dict.fromkeys(key for section in cls.kinds.values() for key in section.model_fields))

    @classmethod
    def _require_foreign_default(cls, key, value):
        owners = {name: section.model_fields[key] for name, section in cls.kinds.items() if key in section.model_fields}
        defaults = [plain(field.default) for field in owners.values() if field.default is not PydanticUndefined]
        if any(value == default and isinstance(value, bool) == isinstance(default, bool) for default in defaults):
            return
        expected = show(defaults[0], True) if defaults else "nothing"
        names = " or ".join(map(repr, owners))
        raise ConfigError(
            f"{cls._place}{key} is {show(value)}; expected {expected}, as only {cls._place}kind {names} has it"
        )
