"""What configurations are made of: frozen dataclasses with strict types, read from and written as YAML.

`tfcoded.config` and `tfcoded.config.communication` say which keys there are; this module imports neither TensorFlow nor numpy.
"""

import dataclasses
import functools
import math
import re
import types
import typing

import yaml

from tfcoded.config import datasets
from tfcoded.utils.errors import UserError
from tfcoded.utils.suggestions import nearest


class ConfigError(UserError):
    """A configuration is wrong; the message names the key, what was expected and what to do."""


class Section:
    """A part of a configuration; its values are checked however it is made (YAML, Python, `replace`)."""

    _place = ""  # dotted prefix of the section's keys in messages

    def __post_init__(self):
        for name, kind in types_of(type(self)).items():
            object.__setattr__(self, name, _coerce(getattr(self, name), kind, self._place + name))
        self._check()
        for key, why in self.idle().items():
            self._require_default(key, why)

    def idle(self):
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

    def _require_default(self, key, why):
        *sections, leaf = key.split(".")
        holder = self
        for section in sections:
            holder = getattr(holder, section)
        (field,) = (field for field in dataclasses.fields(holder) if field.name == leaf)
        holder._require(getattr(holder, leaf) == field.default, leaf, f"{show(field.default, True)}, {why}")


class Configuration(Section):
    """A complete configuration: settings, and facts about the model that they describe.

    A subclass names its facts in `FACTS` and offers `to_dict` and `facts_after`.
    """

    FACTS = ()  # record what is known about the model; not settings, so not to be overridden

    @property
    def item_shape(self):
        """Shape of one item of the data set, a tuple of `int`: (height, width, channels)."""
        return self.network.image_shape

    @property
    def parts(self):
        """Configurations of what is trained in place of the model itself, by the folder; a `dict`, mostly empty."""
        return {}

    def to_dict(self):
        """Nested dicts of plain values in the order of the file, without what is empty or means nothing."""
        raise NotImplementedError

    def facts_after(self, changed):
        """dict of those facts that remain true of `changed`, this configuration with other settings."""
        raise NotImplementedError

    def without_published(self):
        """A copy without what papers report of it, which is of a training from scratch with these very settings."""
        return dataclasses.replace(self.without_facts(), parameters=self.parameters)

    def without_facts(self, **changes):
        """A copy with these settings changed and all facts empty."""
        blank = {fact: types_of(type(self))[fact]() for fact in self.FACTS}
        return dataclasses.replace(self, **changes, **blank)

    def _check_name(self):
        well_named = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name)
        self._require(well_named, "name", "letters, digits, '_', '-' and '.', the first a letter or digit")
        self._require(self.dataset.strip(), "dataset", "a data set's name or a path")

    def _check_image_shape(self):
        """Refuses images of another shape than those of a data set that is known by name."""
        shape = datasets.SHAPES.get(self.dataset, self.network.image_shape)
        if shape != self.network.image_shape:
            raise ConfigError(
                f"network.image_shape is {show(self.network.image_shape)}; expected {show(shape)}, "
                f"the shape of {self.dataset} images"
            )


def types_of(cls):
    """Field name -> type, in the order of the class."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def build(cls, values, place):
    """Makes a section of a mapping, refusing unknown and missing keys."""
    where = place.rstrip(".") or "the configuration"
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {show(values)}; expected keys and values")
    kinds = types_of(cls)
    for key in values:
        if key not in kinds:
            near = nearest(str(key), kinds, 0.5)
            hint = f"did you mean {near!r}?" if near else f"expected one of {', '.join(kinds)}"
            raise ConfigError(f"unknown key {key!r} in {where}; {hint}")
    for field in dataclasses.fields(cls):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise ConfigError(f"{where} has no key {field.name!r}, which is required")
    arguments = {}
    for key, value in values.items():
        kind = kinds[key]
        section = isinstance(kind, type) and issubclass(kind, Section)
        arguments[key] = build(kind, value, f"{place}{key}.") if section else value
    return cls(**arguments)


# PyYAML follows YAML 1.1, where 1e-4 (no point, or no sign in the exponent) is a string.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def _coerce(value, kind, place):
    """Returns `value` as a `kind`, or raises ConfigError naming `place`."""
    if isinstance(kind, types.GenericAlias):
        return _coerce_container(value, kind, place)
    if issubclass(kind, Section):
        if not isinstance(value, kind):
            raise ConfigError(f"{place} is {show(value)}; expected a {kind.__name__}")
        return value
    if kind is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if kind is float and type(value) is int and abs(value) < 2**1000:  # beyond that, float() overflows
        value = float(value)
    # type(), not isinstance(), for which a bool is an int.
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ConfigError(f"{place} is {show(value)}; expected {_NOUNS[kind]}")
    if kind is int and abs(value) >= TOO_LARGE:
        raise ConfigError(f"{place} is {show(value)}; expected an integer below 2^32")
    return value


def _coerce_container(value, kind, place):
    origin, items = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{place} is {show(value)}; expected keys and values")
        return {
            _coerce(key, str, f"a key of {place}"): _coerce(item, items[1], f"{place}.{key}")
            for key, item in value.items()
        }
    endless = items[-1] is Ellipsis
    if endless and type(value) is items[0]:
        value = (value,)
    if not isinstance(value, (list, tuple)) or not (endless or len(value) == len(items)):
        plural = {int: "integers", float: "numbers", str: "strings"}[items[0]]
        expected = f"a list of {len(items)} {plural}"
        if endless:
            expected = f"{_NOUNS[items[0]]} or a list of {plural}"
        raise ConfigError(f"{place} is {show(value)}; expected {expected}")
    return tuple(_coerce(item, items[0], f"{place}[{index}]") for index, item in enumerate(value))


TOO_LARGE = 2**32  # the steps of so many epochs still fit into TensorFlow's 64 bits
_NOUNS = {str: "a string", int: "an integer", float: "a finite number", bool: "true or false"}


def plain(value):
    """A configuration's value as YAML can write it."""
    if isinstance(value, Section):
        values = {name: plain(getattr(value, name)) for name in types_of(type(value))}
        for key in value.idle():
            *sections, leaf = key.split(".")
            functools.reduce(dict.__getitem__, sections, values).pop(leaf, None)  # the section may have left it out
        return values
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


def first_line(error):
    """The first line of an error's message."""
    return str(error).splitlines()[0]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain YAML, but a key given twice is an error instead of the last one winning silently."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Lists on one line, mappings one key to a line."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


def dump(values):
    """Writes nested dicts of plain values as YAML text."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def parse(text, source):
    """Reads YAML text, which `source` is named for in the message of a `ConfigError`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1})" if mark else ""
        message = f"not valid YAML{line}: {error.problem}"
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        message = f"not valid YAML: {first_line(error)}"
    raise ConfigError(f"{source}: {message}" if source else message)
