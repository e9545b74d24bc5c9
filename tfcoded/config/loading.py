"""Configurations: what a model is and how it is trained, as immutable sections loaded strictly from YAML.

Every mistake is an error that names the key, where it stands and what was expected: a misspelt key, a value
of the wrong type, a code that cannot exist.

```python
from tfcoded import config

settings = config.load("zoo/coded_10_300/config.yaml")
settings.information_bits, settings.code_bits   # (10, 300)
short = config.override(settings, ["training.epochs=3", "beta=10"])
```

A mapping with the key `system` is a communication system, a `SystemConfig` of `tfcoded.config.communication`; others are
models with an error-correcting code, a `Config`. This module imports neither TensorFlow nor numpy.
"""

import pathlib
from typing import ClassVar

import pydantic

from tfcoded.codes import TABLED_BITS, CodeSettings
from tfcoded.config.communication import SystemConfig
from tfcoded.config.configuration import Configuration
from tfcoded.config.yaml_text import dump, first_line, parse
from tfcoded.data import registry
from tfcoded.objectives import ElboSettings, ObjectiveSettings
from tfcoded.utils.sections import ConfigError, Integer, Section, is_section, one_of, types_of
from tfcoded.utils.suggestions import nearest

LIKELIHOODS = ("bernoulli", "gaussian")
MOST_GENERATED = 1024  # images of one call of `generate`, each of which takes about a megabyte of memory meanwhile
IMAGE_SHAPES = ((28, 28, 1), (32, 32, 3), (64, 64, 3))


class Network(Section):
    """Sizes of the encoder and decoder networks.

    Attributes:
      image_shape: (height, width, channels): (28, 28, 1), (32, 32, 3) or (64, 64, 3).
      encoder_width: units of the encoder's dense layer (h').
      decoder_width: units of the decoder's first dense layer (h).

    Raises:
      ConfigError: if there is no network for the image shape, or a width is not positive.
    """

    image_shape: tuple[Integer, Integer, Integer]
    encoder_width: Integer = 512
    decoder_width: Integer = 1024

    _place: ClassVar[str] = "network."

    def _check(self):
        shapes = ", ".join(str(list(shape)) for shape in IMAGE_SHAPES)
        self._require(
            self.image_shape in IMAGE_SHAPES,
            "image_shape",
            f"one of {shapes} (height, width, channels); resize the images",
        )
        self._require(self.encoder_width >= 1, "encoder_width", "at least 1")
        self._require(self.decoder_width >= 1, "decoder_width", "at least 1")


class Training(Section):
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

    epochs: Integer
    batch_size: Integer = 128
    learning_rate: float = 1e-4
    l2: float = 1e-4
    samples_at_once: Integer = 10

    _place: ClassVar[str] = "training."

    def _check(self):
        self._require(self.epochs >= 1, "epochs", "at least 1")
        self._require(self.batch_size >= 1, "batch_size", "at least 1")
        self._require(self.learning_rate > 0, "learning_rate", "a number above 0")
        self._require(self.l2 >= 0, "l2", "a number of at least 0")
        self._require(self.samples_at_once >= 1, "samples_at_once", "at least 1")


class Config(Configuration):
    """A complete configuration of a discrete VAE.

    Attributes:
      name: what the model is called: letters, digits, '_', '-' and '.', as it becomes a folder's name.
      dataset: a name of `tfcoded.data.DATASETS`, such as 'fashion_mnist', or a path to the user's images.
      likelihood: p(image | latent): 'bernoulli' (intensities in [0, 1]) or 'gaussian' (scaled to [-1, 1]).
      beta: inverse temperature of the smoothing, above 0.
      code: a `tfcoded.codes.CodeSettings`.
      network: a `Network`.
      objective: a `tfcoded.objectives.ObjectiveSettings`.
      training: a `Training`.
      published: metric -> the value that the paper reports for this model; keys ending in `_train` are on the
        training images, all others on the test images. Empty for a model that is not the paper's: commands leave them
        out of a file that is no entry of the zoo or has other settings (`tfcoded.zoo.with_own_facts`), and of a
        training that starts from given weights.
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
    code: CodeSettings
    network: Network
    objective: ObjectiveSettings = pydantic.Field(default_factory=ElboSettings)
    training: Training
    published: dict[str, float] = {}
    conflicts: dict[str, dict[str, float]] = {}
    tables: tuple[str, ...] = ()
    parameters: dict[str, Integer] = {}

    FACTS: ClassVar[tuple[str, ...]] = ("published", "conflicts", "tables", "parameters")

    def to_dict(self):
        """See `config.to_dict`."""
        values = super().to_dict()
        if self.objective.samples == 1:
            del values["training"]["samples_at_once"]
        return {name: value for name, value in values.items() if value or name not in self.FACTS}

    def facts_after(self, changed):
        """See `Configuration.facts_after`."""
        kept = {}
        if (changed.code, changed.network) == (self.code, self.network):
            kept["parameters"] = self.parameters
        # More epochs merely follow, and how many samples share the memory changes nothing but the speed.
        free = {name: getattr(changed.training, name) for name in ("epochs", "samples_at_once")}
        if changed == self.without_facts(training=self.training.replace(**free)):
            kept |= {fact: getattr(self, fact) for fact in ("published", "conflicts", "tables")}
        return kept

    def _check(self):
        self._check_name()
        self._require(self.likelihood in LIKELIHOODS, "likelihood", one_of(LIKELIHOODS, self.likelihood))
        # float32 densities need exp(beta) to be finite.
        self._require(0 < self.beta <= 80, "beta", "a number above 0 and at most 80")
        self._require(self.dataset != registry.NORMAL, "dataset", "images")
        self._check_image_shape()
        channels = self.network.image_shape[2]
        wanted = "bernoulli" if channels == 1 else "gaussian"  # the decoder's output differs
        self._require(self.likelihood == wanted, "likelihood", f"{wanted!r} for images of {channels} channel(s)")
        words = self.objective.over_words
        if not self.code.makes.independent_bits and not words:
            fitting = [kind for kind, settings in ObjectiveSettings.kinds.items() if settings.makes.over_words]
            raise ConfigError(
                f"objective.kind is {self.objective.kind!r}; expected {' or '.join(map(repr, fitting))}, as the bits of a "
                f"{self.code.kind} code are not independent given the image"
            )
        if words and self.information_bits > TABLED_BITS:
            raise ConfigError(
                f"code.information_bits is {self.information_bits} in all; expected at most {TABLED_BITS} with "
                f"objective.kind {self.objective.kind!r}, which enumerates all codewords"
            )

    @property
    def information_bits(self):
        """`int`, M: information bits of all branches together."""
        return sum(self.code.branches)

    @property
    def code_bits(self):
        """`int`, D: code bits of all branches together, the dimension of the latent."""
        return sum(self.code.branch_code_bits)

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
      A `Config`, or a `SystemConfig` of values with the key `system`.

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
        return _kind(values).read(values)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") if source else error from None


def from_yaml(text, source=""):
    """Makes a configuration of YAML text; inverse of `to_yaml`.

    Args:
      text: `str`.
      source: `str`, where it comes from; begins the message of an error.

    Returns:
      A `Config` or `SystemConfig`, see `from_dict`.

    Raises:
      ConfigError: if the text is not YAML or not a configuration.
    """
    return from_dict(parse(text, source), source)


def load(path):
    """Reads a configuration from a YAML file.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      A `Config` or `SystemConfig`, see `from_dict`.

    Raises:
      ConfigError: if the file cannot be read or is not a configuration; the message begins with the path.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no configuration at {path}; expected a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {first_line(error)}") from None
    return from_yaml(text, source=str(path))


def to_dict(config):
    """Returns a configuration as nested dicts of plain values; inverse of `from_dict`.

    Args:
      config: a `Config` or `SystemConfig`.

    Returns:
      A dict in the order of the file, without facts that are empty and settings that mean nothing, such as those of
      another kind of code, objective or channel.
    """
    return config.to_dict()


def to_yaml(config):
    """Writes a configuration as YAML text, exactly: `from_yaml(to_yaml(config)) == config`.

    Args:
      config: a `Config` or `SystemConfig`.

    Returns:
      `str`.
    """
    return dump(to_dict(config))


def override(config, assignments):
    """Returns a copy of a configuration with some settings changed.

    What the paper reports (`published`, `conflicts`, `tables`) is kept as long as nothing but the number of epochs
    changes, `parameters` as long as nothing changes that they could depend on, such as `code` and `network`: neither
    would be true of another model.

    Args:
      config: a `Config` or `SystemConfig`.
      assignments: list of `str` such as 'training.epochs=3'. The last part of the key is enough where it is
        unique ('epochs=3'). Values are YAML ('code.information_bits=[5, 5]'). All are applied before anything
        is checked.

    Returns:
      A configuration of the same kind.

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
        *sections, leaf = _resolve(config, key.strip(), assignment).split(".")
        target = values
        for section in sections:
            target = target.setdefault(section, {})  # a section whose settings all mean nothing is not written
        target[leaf] = parse(text, f"override {assignment!r}")
    # Facts would fail no check, but they describe `config`, not what comes out here.
    changed = from_dict({key: value for key, value in values.items() if key not in config.FACTS}, "after overrides")
    return changed.replace(**config.facts_after(changed))


def _kind(values):
    """The class of configuration that a mapping is meant to be; a misspelt `system` should not make it the other."""
    meant = isinstance(values, dict) and ("system" in values or "channel" in values and "code" not in values)
    return SystemConfig if meant else Config


def _setting_keys(config):
    """Dotted keys of everything that `override` may change."""
    keys = []
    for name, kind in types_of(type(config)).items():
        if is_section(kind):
            keys += [f"{name}.{leaf}" for leaf in kind.keys()]
        elif name not in config.FACTS:
            keys.append(name)
    return keys


def _resolve(config, key, assignment):
    """The full dotted key that `key` stands for."""
    keys = _setting_keys(config)
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
    if key.partition(".")[0] in config.FACTS:
        raise ConfigError(f"override {assignment!r}: {key!r} is a fact about the model, not a setting")
    by_leaf = {full.rpartition(".")[2]: full for full in keys}
    near = nearest(key, keys + list(by_leaf), 0.5) or nearest(key.rpartition(".")[2], by_leaf, 0.5)
    hint = f"did you mean {by_leaf.get(near, near)!r}?" if near else f"expected one of {', '.join(keys)}"
    raise ConfigError(f"override {assignment!r}: unknown key {key!r}; {hint}")
