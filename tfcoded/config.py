"""Configurations: what a model is and how it is trained, as frozen dataclasses loaded strictly from YAML.

Every mistake is an error that names the key, where it stands and what was expected: a misspelt key, a value
of the wrong type, a code that cannot exist.

```python
from tfcoded import config

settings = config.load("zoo/coded_10_300/config.yaml")
settings.information_bits, settings.code_bits   # (10, 300)
short = config.override(settings, ["training.epochs=3", "beta=10"])
```

This module imports neither TensorFlow nor numpy.
"""

import dataclasses
import difflib
import math
import pathlib
import re
import types
import typing

import yaml

from tfcoded.errors import UserError

CODES = ("uncoded", "repetition", "hierarchical", "random")
LIKELIHOODS = ("bernoulli", "gaussian")
OBJECTIVES = ("elbo", "iwae", "vriwae", "reinforce_loo")
LARGEST_CODEBOOK = 12  # information bits up to which the posterior over all codewords is enumerated
IMAGE_SHAPES = ((28, 28, 1), (32, 32, 3), (64, 64, 3))
DATASET_SHAPES = {
    "fashion_mnist": (28, 28, 1),
    "mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "tiny_imagenet": (64, 64, 3),
}

# Parts of a configuration that record what is known about the model; not settings, so not to be overridden.
_FACTS = ("published", "conflicts", "tables", "parameters")


class ConfigError(UserError):
    """A configuration is wrong; the message names the key, what was expected and what to do."""


class _Section:
    """A part of a configuration; its values are checked however it is made (YAML, Python, `replace`)."""

    _place = ""  # dotted prefix of the section's keys in messages

    def __post_init__(self):
        for name, kind in _types(type(self)).items():
            object.__setattr__(self, name, _coerce(getattr(self, name), kind, self._place + name))
        self._check()

    def _check(self):
        """Raises ConfigError if values of the right types make no sense together."""

    def _require(self, condition, key, expected):
        if not condition:
            raise ConfigError(f"{self._place}{key} is {_show(getattr(self, key))}; expected {expected}")


@dataclasses.dataclass(frozen=True)
class Code(_Section):
    """The error-correcting code.

    Attributes:
      kind: 'uncoded', 'repetition', 'hierarchical' or 'random'.
      information_bits: M of every branch, a tuple of `int` (one branch unless hierarchical). A plain `int` is
        accepted and stored as a tuple.
      code_bits: D of every branch, likewise. Equal to M when uncoded, a multiple of M for repetition codes.
      polar: whether branch i >= 2 of a hierarchical code carries `m_{i-1} xor m_i` (else `m_i`).
      seed: of the codebook of a random code.

    Raises:
      ConfigError: if no such code exists.
    """

    kind: str
    information_bits: tuple[int, ...]
    code_bits: tuple[int, ...]
    polar: bool = True
    seed: int = 0

    _place = "code."

    def _check(self):
        self._require(self.kind in CODES, "kind", _one_of(CODES, self.kind))
        for key in ("information_bits", "code_bits"):
            bits = getattr(self, key)
            self._require(bits and min(bits) >= 1, key, "positive numbers of bits")
        if self.kind == "hierarchical":
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
        else:
            for key in ("information_bits", "code_bits"):
                self._require(
                    len(getattr(self, key)) == 1, key, f"a single number, as code.kind is {self.kind!r}"
                )
            self._require(
                self.polar, "polar", f"true, as only a hierarchical code combines branches, not {self.kind!r}"
            )
        if self.kind == "random":
            self._require(
                self.information_bits[0] <= LARGEST_CODEBOOK,
                "information_bits",
                f"at most {LARGEST_CODEBOOK}, as a random code is decoded by enumerating its codewords",
            )
            self._require(0 <= self.seed < 2**32, "seed", "an integer from 0 to 2^32 - 1")
            return
        self._require(self.seed == 0, "seed", f"0, as only a random code is drawn, not {self.kind!r}")
        for information, code in zip(self.information_bits, self.code_bits):
            if self.kind == "uncoded":
                expected = f"{information}, like information_bits, as code.kind is 'uncoded'"
                self._require(code == information, "code_bits", expected)
            else:
                nearest = information * max(1, round(code / information))
                self._require(
                    code % information == 0,
                    "code_bits",
                    f"a multiple of information_bits such as {nearest}: every bit is repeated equally often",
                )


@dataclasses.dataclass(frozen=True)
class Network(_Section):
    """Sizes of the encoder and decoder networks.

    Attributes:
      image_shape: (height, width, channels): (28, 28, 1), (32, 32, 3) or (64, 64, 3).
      encoder_width: units of the encoder's dense layer (h').
      decoder_width: units of the decoder's first dense layer (h).

    Raises:
      ConfigError: if there is no network for the image shape, or a width is not positive.
    """

    image_shape: tuple[int, int, int]
    encoder_width: int = 512
    decoder_width: int = 1024

    _place = "network."

    def _check(self):
        shapes = ", ".join(str(list(shape)) for shape in IMAGE_SHAPES)
        self._require(
            self.image_shape in IMAGE_SHAPES,
            "image_shape",
            f"one of {shapes} (height, width, channels); resize the images",
        )
        self._require(self.encoder_width >= 1, "encoder_width", "at least 1")
        self._require(self.decoder_width >= 1, "decoder_width", "at least 1")


@dataclasses.dataclass(frozen=True)
class Objective(_Section):
    """The bound that training maximises.

    Attributes:
      kind: 'elbo', 'iwae', 'vriwae', or 'reinforce_loo': the ELBO with a posterior over whole codewords, its
        gradient estimated by REINFORCE with a leave-one-out baseline.
      samples: samples of the latent per image, at least 1 (2 for 'reinforce_loo').
      alpha: order of the VR-IWAE bound, in [0, 1]; 0 is the IWAE, 1 the ELBO.
      doubly_reparameterised: whether the encoder's gradient is the doubly reparameterised one ('iwae' and
        'vriwae' only).
      exact_kl: whether 'reinforce_loo' sums the divergence over the codebook, or estimates it with the drawn
        codewords as in the paper.

    Raises:
      ConfigError: if a value is out of range or means nothing for this kind.
    """

    kind: str = "elbo"
    samples: int = 1
    alpha: float = 0.0
    doubly_reparameterised: bool = False
    exact_kl: bool = True

    _place = "objective."

    def _check(self):
        self._require(self.kind in OBJECTIVES, "kind", _one_of(OBJECTIVES, self.kind))
        self._require(self.samples >= 1, "samples", "at least 1")
        self._require(0 <= self.alpha <= 1, "alpha", "a number in [0, 1]")
        if self.kind != "vriwae":
            self._require(self.alpha == 0, "alpha", f"0, as objective.kind is {self.kind!r} and not 'vriwae'")
        if self.kind == "reinforce_loo":
            self._require(self.samples >= 2, "samples", "at least 2: the others are the baseline of each")
        else:
            self._require(self.exact_kl, "exact_kl", "true unless objective.kind is 'reinforce_loo'")
        if self.kind not in ("iwae", "vriwae"):
            self._require(
                not self.doubly_reparameterised,
                "doubly_reparameterised",
                "false unless objective.kind is 'iwae' or 'vriwae'",
            )


@dataclasses.dataclass(frozen=True)
class Training(_Section):
    """How the model is trained.

    Attributes:
      epochs: passes over the training images.
      batch_size: images per step, over all replicas together.
      learning_rate: Adam's.
      l2: this times the weight is added to each gradient before Adam.
      samples_at_once: with several samples per image, how many the decoder's activations are kept for at a time;
        fewer need less memory and give the same gradient.

    Raises:
      ConfigError: if a value is out of range.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-4
    l2: float = 1e-4
    samples_at_once: int = 10

    _place = "training."

    def _check(self):
        self._require(self.epochs >= 1, "epochs", "at least 1")
        self._require(self.batch_size >= 1, "batch_size", "at least 1")
        self._require(self.learning_rate > 0, "learning_rate", "a number above 0")
        self._require(self.l2 >= 0, "l2", "a number of at least 0")
        self._require(self.samples_at_once >= 1, "samples_at_once", "at least 1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(_Section):
    """A complete configuration.

    Attributes:
      name: what the model is called: letters, digits, '_', '-' and '.', as it becomes a folder's name.
      dataset: 'fashion_mnist', 'mnist', 'cifar10', 'tiny_imagenet', or a path to the user's images.
      likelihood: p(image | latent): 'bernoulli' (intensities in [0, 1]) or 'gaussian' (scaled to [-1, 1]).
      beta: inverse temperature of the smoothing, above 0.
      code: a `Code`.
      network: a `Network`.
      objective: an `Objective`.
      training: a `Training`.
      published: metric -> the value that the paper reports for this model; keys ending in `_train` are on the
        training images, all others on the test images. Empty for a model that is not the paper's.
      conflicts: metric -> {table: value}, where another table of the paper disagrees with `published`.
      tables: where in the paper the values stand.
      parameters: {'encoder': n, 'decoder': n}, exact numbers of trainable parameters; may be empty.

    Raises:
      ConfigError: if a value is wrong, or the parts do not fit each other.
    """

    name: str
    dataset: str
    likelihood: str
    beta: float
    code: Code
    network: Network
    objective: Objective = dataclasses.field(default_factory=Objective)
    training: Training
    published: dict[str, float] = dataclasses.field(default_factory=dict, hash=False)
    conflicts: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict, hash=False)
    tables: tuple[str, ...] = ()
    parameters: dict[str, int] = dataclasses.field(default_factory=dict, hash=False)

    def _check(self):
        well_named = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name)
        self._require(well_named, "name", "letters, digits, '_', '-' and '.', the first a letter or digit")
        self._require(self.dataset.strip(), "dataset", "a data set's name or a path")
        self._require(self.likelihood in LIKELIHOODS, "likelihood", _one_of(LIKELIHOODS, self.likelihood))
        # float32 densities need exp(beta) to be finite.
        self._require(0 < self.beta <= 80, "beta", "a number above 0 and at most 80")
        shape = DATASET_SHAPES.get(self.dataset, self.network.image_shape)
        if shape != self.network.image_shape:
            raise ConfigError(
                f"network.image_shape is {_show(self.network.image_shape)}; expected {_show(shape)}, "
                f"the shape of {self.dataset} images"
            )
        wanted = "bernoulli" if self.network.image_shape[2] == 1 else "gaussian"  # the decoder's output differs
        self._require(
            self.likelihood == wanted, "likelihood", f"{wanted!r} for images of {self.network.image_shape[2]} channel(s)"
        )
        words = self.objective.kind == "reinforce_loo"
        if self.code.kind == "random" and not words:
            raise ConfigError(
                f"objective.kind is {self.objective.kind!r}; expected 'reinforce_loo', as the bits of a random code are "
                "not independent given the image"
            )
        if words and self.information_bits > LARGEST_CODEBOOK:
            raise ConfigError(
                f"code.information_bits is {self.information_bits} in all; expected at most {LARGEST_CODEBOOK} with "
                "objective.kind 'reinforce_loo', which enumerates all codewords"
            )

    @property
    def information_bits(self):
        """`int`, M: information bits of all branches together."""
        return sum(self.code.information_bits)

    @property
    def code_bits(self):
        """`int`, D: code bits of all branches together, the dimension of the latent."""
        return sum(self.code.code_bits)

    @property
    def rate(self):
        """`float`, M / D: 1 when uncoded."""
        return self.information_bits / self.code_bits


def from_dict(values, source=""):
    """Makes a configuration of nested dicts, refusing unknown and missing keys and values of the wrong type.

    Args:
      values: dict of plain values, as YAML gives it.
      source: `str`, where it comes from; begins the message of an error.

    Returns:
      A `Config`.

    Raises:
      ConfigError: naming the first thing that is wrong.

    Example:

    ```python
    config.from_dict({
        "name": "mine", "dataset": "mnist", "likelihood": "bernoulli", "beta": 15,
        "code": {"kind": "repetition", "information_bits": 8, "code_bits": 240},
        "network": {"image_shape": [28, 28, 1]}, "training": {"epochs": 100},
    })
    ```
    """
    try:
        return _build(Config, values, "")
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") if source else error from None


def from_yaml(text, source=""):
    """Makes a configuration of YAML text; inverse of `to_yaml`.

    Args:
      text: `str`.
      source: `str`, where it comes from; begins the message of an error.

    Returns:
      A `Config`.

    Raises:
      ConfigError: if the text is not YAML or not a configuration.
    """
    return from_dict(_parse(text, source), source)


def load(path):
    """Reads a configuration from a YAML file.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      A `Config`.

    Raises:
      ConfigError: if the file cannot be read or is not a configuration; the message begins with the path.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no configuration at {path}; expected a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {_first_line(error)}") from None
    return from_yaml(text, source=str(path))


def to_dict(config):
    """Returns a configuration as nested dicts of plain values; inverse of `from_dict`.

    Args:
      config: a `Config`.

    Returns:
      A dict in the order of the file, without facts that are empty and settings that mean nothing for its code or
      objective.
    """
    values = _plain(config)
    if config.code.kind != "random":
        del values["code"]["seed"]
    if config.objective.kind != "reinforce_loo":
        del values["objective"]["exact_kl"]
    if config.objective.samples == 1:
        del values["training"]["samples_at_once"]
    if config.code.kind != "hierarchical":
        del values["code"]["polar"]
        for key in ("information_bits", "code_bits"):
            values["code"][key] = values["code"][key][0]
    return {name: value for name, value in values.items() if value or name not in _FACTS}


def to_yaml(config):
    """Writes a configuration as YAML text, exactly: `from_yaml(to_yaml(config)) == config`.

    Args:
      config: a `Config`.

    Returns:
      `str`.
    """
    return yaml.dump(to_dict(config), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def override(config, assignments):
    """Returns a copy of a configuration with some settings changed.

    What the paper reports (`published`, `conflicts`, `tables`) is kept as long as only `training` changes,
    `parameters` as long as `code` and `network` do not: neither would be true of another model.

    Args:
      config: a `Config`.
      assignments: list of `str` such as 'training.epochs=3'. The last part of the key is enough where it is
        unique ('epochs=3'). Values are YAML ('code.information_bits=[5, 5]'). All are applied before anything
        is checked.

    Returns:
      A `Config`.

    Raises:
      ConfigError: if an assignment is malformed, its key unknown or ambiguous, or the result wrong.

    Example:

    ```python
    config.override(settings, ["epochs=3", "code.code_bits=80"])
    ```
    """
    values = to_dict(config)
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise ConfigError(f"override {assignment!r} has no '='; expected key=value (training.epochs=3)")
        *sections, leaf = _resolve(key.strip(), assignment).split(".")
        target = values
        for section in sections:
            target = target[section]
        target[leaf] = _parse(text, f"override {assignment!r}")
    # Facts would fail no check, but they describe `config`, not what comes out here.
    changed = from_dict({key: value for key, value in values.items() if key not in _FACTS}, "after overrides")
    kept = {}
    if (changed.code, changed.network) == (config.code, config.network):
        kept["parameters"] = config.parameters
    blank = {fact: getattr(changed, fact) for fact in _FACTS}
    if changed == dataclasses.replace(config, training=changed.training, **blank):
        kept |= {fact: getattr(config, fact) for fact in ("published", "conflicts", "tables")}
    return dataclasses.replace(changed, **kept)


def _types(cls):
    """Field name -> type, in the order of the class."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _setting_keys():
    """Dotted keys of everything that `override` may change."""
    keys = []
    for name, kind in _types(Config).items():
        if isinstance(kind, type) and issubclass(kind, _Section):
            keys += [f"{name}.{leaf}" for leaf in _types(kind)]
        elif name not in _FACTS:
            keys.append(name)
    return keys


def _resolve(key, assignment):
    """The full dotted key that `key` stands for."""
    keys = _setting_keys()
    if key in keys:
        return key
    matches = [full for full in keys if full.rpartition(".")[2] == key]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(f"override {assignment!r}: {key!r} is ambiguous; write {' or '.join(matches)}")
    inside = [full for full in keys if full.startswith(key + ".")]
    if inside:
        raise ConfigError(f"override {assignment!r}: {key!r} is a section; write one of {', '.join(inside)}")
    if key.partition(".")[0] in _FACTS:
        raise ConfigError(f"override {assignment!r}: {key!r} is a fact about the model, not a setting")
    by_leaf = {full.rpartition(".")[2]: full for full in keys}
    near = difflib.get_close_matches(key, keys + list(by_leaf), n=1, cutoff=0.5)
    near = near or difflib.get_close_matches(key.rpartition(".")[2], by_leaf, n=1, cutoff=0.5)
    hint = f"expected one of {', '.join(keys)}"
    if near:
        hint = f"did you mean {by_leaf.get(near[0], near[0])!r}?"
    raise ConfigError(f"override {assignment!r}: unknown key {key!r}; {hint}")


def _build(cls, values, place):
    """Makes a section of a mapping, refusing unknown and missing keys."""
    where = place.rstrip(".") or "the configuration"
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {_show(values)}; expected keys and values")
    kinds = _types(cls)
    for key in values:
        if key not in kinds:
            near = difflib.get_close_matches(str(key), kinds, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(kinds)}"
            raise ConfigError(f"unknown key {key!r} in {where}; {hint}")
    for field in dataclasses.fields(cls):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise ConfigError(f"{where} has no key {field.name!r}, which is required")
    arguments = {}
    for key, value in values.items():
        kind = kinds[key]
        section = isinstance(kind, type) and issubclass(kind, _Section)
        arguments[key] = _build(kind, value, f"{place}{key}.") if section else value
    return cls(**arguments)


# PyYAML follows YAML 1.1, where 1e-4 (no point, or no sign in the exponent) is a string.
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def _coerce(value, kind, place):
    """Returns `value` as a `kind`, or raises ConfigError naming `place`."""
    if isinstance(kind, types.GenericAlias):
        return _coerce_container(value, kind, place)
    if issubclass(kind, _Section):
        if not isinstance(value, kind):
            raise ConfigError(f"{place} is {_show(value)}; expected a {kind.__name__}")
        return value
    if kind is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if kind is float and type(value) is int and abs(value) < 2**1000:  # beyond that, float() overflows
        value = float(value)
    # type(), not isinstance(), for which a bool is an int.
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ConfigError(f"{place} is {_show(value)}; expected {_NOUNS[kind]}")
    return value


def _coerce_container(value, kind, place):
    origin, items = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{place} is {_show(value)}; expected keys and values")
        return {
            _coerce(key, str, f"a key of {place}"): _coerce(item, items[1], f"{place}.{key}")
            for key, item in value.items()
        }
    endless = items[-1] is Ellipsis
    if endless and type(value) is items[0]:
        value = (value,)
    if not isinstance(value, (list, tuple)) or not (endless or len(value) == len(items)):
        plural = {int: "integers", str: "strings"}[items[0]]
        expected = f"a list of {len(items)} {plural}"
        if endless:
            expected = f"{_NOUNS[items[0]]} or a list of {plural}"
        raise ConfigError(f"{place} is {_show(value)}; expected {expected}")
    return tuple(_coerce(item, items[0], f"{place}[{index}]") for index, item in enumerate(value))


_NOUNS = {str: "a string", int: "an integer", float: "a finite number", bool: "true or false"}


def _plain(value):
    """A configuration's value as YAML can write it."""
    if isinstance(value, _Section):
        return {name: _plain(getattr(value, name)) for name in _types(type(value))}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _show(value):
    """A value as the user wrote it, with its type where that is not plain to see."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{str(value).lower()} (a boolean)"
    if isinstance(value, tuple):
        return str(list(value)) if len(value) != 1 else str(value[0])
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_of(choices, given):
    near = difflib.get_close_matches(str(given).lower(), choices, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"one of {', '.join(map(repr, choices))}{hint}"


def _first_line(error):
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


def _parse(text, source):
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" (line {mark.line + 1})" if mark else ""
        message = f"not valid YAML{line}: {error.problem}"
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        message = f"not valid YAML: {_first_line(error)}"
    raise ConfigError(f"{source}: {message}" if source else message)
