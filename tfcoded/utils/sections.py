"""What configurations are made of: immutable pydantic models of strict types, whose mistakes are told in one line.

```python
class Training(Section):
    _place: ClassVar[str] = "training."
    epochs: Integer
    learning_rate: float = 1e-4


Training.read({"epoch": 3})   # ConfigError: unknown key 'epoch' in training; did you mean 'epochs'?
Training(3).replace(epochs=4)
```

This module imports neither TensorFlow nor numpy.
"""

import functools
import re
import typing
from typing import Annotated, Any, ClassVar, Self

import pydantic

from tfcoded.utils.errors import UserError
from tfcoded.utils.suggestions import nearest

TOO_LARGE = 2**32  # the steps of so many epochs still fit into TensorFlow's 64 bits
Integer = Annotated[int, pydantic.Field(gt=-TOO_LARGE, lt=TOO_LARGE)]

_NOUNS = {str: "a string", int: "an integer", float: "a finite number", bool: "true or false"}
_PLURALS = {int: "integers", float: "numbers", str: "strings"}
# PyYAML follows YAML 1.1, where 1e-4 (no point, or no sign in the exponent) is a string.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


class ConfigError(UserError):
    """A configuration is wrong; the message names the key, what was expected and what to do."""


class Section(pydantic.BaseModel):
    """A part of a configuration; its values are checked however it is made (YAML, Python, `replace`).

    Values are given by name, or in the order of the class. Integers below 2^32 are fields of type `Integer`; other
    types are str, float, bool, sections, and tuples and dicts of these.

    Raises:
      ConfigError: naming the first thing that is wrong.
    """

    model_config = pydantic.ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    _place: ClassVar[str] = ""  # dotted prefix of the section's keys in messages

    def __init__(self, /, *values: Any, **named: Any) -> None:
        try:
            super().__init__(**dict(zip(type(self).model_fields, values)), **named)
        except pydantic.ValidationError as error:
            raise ConfigError(_message(type(self), error)) from None

    def __hash__(self):
        return hash((type(self), *(value for value in self.__dict__.values() if not isinstance(value, dict))))

    @classmethod
    def read(cls, values: Any) -> Self:
        """Makes a section of a mapping, refusing unknown and missing keys.

        Args:
          values: dict of plain values, as YAML gives it.

        Raises:
          ConfigError: naming the first thing that is wrong.
        """
        if not isinstance(values, dict):
            raise ConfigError(f"{cls._where()} is {show(values)}; expected keys and values")
        for key in values:
            if not isinstance(key, str):
                raise ConfigError(cls._unknown(key))
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """A copy with some values changed, checked as a whole."""
        return type(self)(**self.__dict__ | changes)

    def to_dict(self) -> dict[str, Any]:
        """Nested dicts of plain values, without what is idle; `read` makes the section of them again."""
        values = {name: plain(getattr(self, name)) for name in type(self).model_fields}
        for key in self.idle():
            *sections, leaf = key.split(".")
            functools.reduce(dict.__getitem__, sections, values).pop(leaf, None)  # the section may have left it out
        return values

    def idle(self) -> dict[str, str]:
        """Settings that have no effect here: they must have their default, and are not written.

        Returns:
          dict from a key, dotted where it is one of a section inside, to why, as `str` that continues "expected 1, ".
        """
        return {}

    def _check(self):
        """Raises ConfigError if values of the right types make no sense together."""

    def _require(self, condition, key, expected):
        if not condition:
            raise ConfigError(f"{self._place}{key} is {show(getattr(self, key))}; expected {expected}")

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Names of all settings."""
        return tuple(cls.model_fields)

    @classmethod
    def _where(cls):
        return cls._place.rstrip(".") or "the configuration"

    @classmethod
    def _unknown(cls, key):
        near = nearest(str(key), cls.keys(), 0.5)
        hint = f"did you mean {near!r}?" if near else f"expected one of {', '.join(cls.keys())}"
        return f"unknown key {key!r} in {cls._where()}; {hint}"

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _prepared(cls, value, info):
        return _prepare(value, types_of(cls)[info.field_name])

    @pydantic.model_validator(mode="after")
    def _whole(self):
        self._check()
        for key, why in self.idle().items():
            *sections, leaf = key.split(".")
            holder = functools.reduce(getattr, sections, self)
            default = type(holder).model_fields[leaf].default
            holder._require(getattr(holder, leaf) == default, leaf, f"{show(default, True)}, {why}")
        return self


def types_of(cls):
    """Field name -> type, in the order of the class."""
    return {name: field.annotation for name, field in cls.model_fields.items()}


def is_section(kind):
    """`bool`, whether a type is a section's."""
    return isinstance(kind, type) and issubclass(kind, Section)


def plain(value):
    """A configuration's value as YAML can write it."""
    if isinstance(value, Section):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def show(value, expected=False):
    """A value as the user wrote it, with its type where that is not plain to see (unless it is the `expected` one)."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()}" + ("" if expected else " (a boolean)")
    if isinstance(value, tuple):
        return str(list(value)) if len(value) != 1 else str(value[0])
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def one_of(choices, given):
    """What was expected where one of `choices` was, with the nearest to `given`."""
    near = nearest(str(given), choices)
    hint = f" (did you mean {near!r}?)" if near else ""
    return f"one of {', '.join(map(repr, choices))}{hint}"


def _prepare(value, kind):
    """A value as YAML gives it, as pydantic wants it: sections and tuples made, numbers as floats."""
    if is_section(kind):
        return value if isinstance(value, kind) else kind.read(value)
    if kind is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    origin, items = typing.get_origin(kind), _items(kind)
    if origin is dict and isinstance(value, dict):
        return {key: _prepare(item, items[1]) for key, item in value.items()}
    if origin is tuple:
        if items[-1] is Ellipsis and type(value) is items[0]:
            value = (value,)
        if isinstance(value, (list, tuple)):
            return tuple(_prepare(item, items[0]) for item in value)
    return value


def _items(kind):
    """Types of what a container holds, without pydantic's constraints."""
    items = typing.get_args(kind)
    return [typing.get_args(item)[0] if typing.get_origin(item) is Annotated else item for item in items]


def _message(cls, error):
    """The first thing that pydantic found wrong in one line: unknown keys before missing ones, these before values."""
    ranks = {"extra_forbidden": 0, "missing": 1}
    found = min(error.errors(), key=lambda found: ranks.get(found["type"], 2) if len(found["loc"]) == 1 else 2)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return str(cause)
    if not found["loc"]:
        return f"{cls._where()}: {cause or found['msg']}"
    key, *inside = found["loc"]
    if found["type"] == "extra_forbidden":
        return cls._unknown(key)
    if found["type"] == "missing" and not inside:
        return f"{cls._where()} has no key {key!r}, which is required"
    place, kind = cls._place + key, types_of(cls)[key]
    for step in inside[: -1 if found["type"] == "missing" else None]:  # of a tuple that is too short
        if step == "[key]":
            place, kind = f"a key of {place.rpartition('.')[0]}", str
        elif typing.get_origin(kind) is tuple:
            place, kind = f"{place}[{step}]", _items(kind)[0]
        else:
            place, kind = f"{place}.{step}", _items(kind)[1]
    return f"{place} is {show(found['input'])}; {_expected(found, kind)}"


def _expected(found, kind):
    """What was expected of a value that pydantic refused."""
    type_, context = found["type"], found.get("ctx", {})
    if TOO_LARGE in (context.get("lt"), -context.get("gt", 0)):
        return "expected an integer below 2^32"
    items = _items(kind)
    if type_.endswith("_type") or type_ in ("finite_number", "missing", "too_long"):
        if kind in _NOUNS:
            return f"expected {_NOUNS[kind]}"
        if typing.get_origin(kind) is dict:
            return "expected keys and values"
        if typing.get_origin(kind) is tuple and items[-1] is Ellipsis:
            return f"expected {_NOUNS[items[0]]} or a list of {_PLURALS[items[0]]}"
        if typing.get_origin(kind) is tuple:
            return f"expected a list of {len(items)} {_PLURALS[items[0]]}"
    if "error" in context:  # a ValueError of the section's own validator
        return str(context["error"])
    return found["msg"][0].lower() + found["msg"][1:]
