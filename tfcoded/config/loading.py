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

from tfcoded.config.communication import SystemConfig
from tfcoded.config.configuration import Configuration
from tfcoded.config.yaml_text import dump, first_line, parse
from tfcoded.data import registry
from tfcoded.utils.sections import ConfigError, Integer, Section, is_section, one_of, types_of
from tfcoded.utils.suggestions import nearest

CODES = ("uncoded", "repetition", "hierarchical", "random")
LIKELIHOODS = ("bernoulli", "gaussian")
OBJECTIVES = ("elbo", "iwae", "vriwae", "reinforce_loo")
LARGEST_CODEBOOK = 12  # information bits up to which the posterior over all codewords is enumerated
MOST_GENERATED = 1024  # images of one call of `generate`, each of which takes about a megabyte of memory meanwhile
IMAGE_SHAPES = ((28, 28, 1), (32, 32, 3), (64, 64, 3))


class Code(Section):
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
    information_bits: tuple[Integer, ...]
    code_bits: tuple[Integer, ...]
    polar: bool = True
    seed: Integer = 0

    _place: ClassVar[str] = "code."

    def idle(self):
        """See `Section.idle`."""
        keys = {}
        if self.kind != "hierarchical":
            keys["polar"] = f"as only a hierarchical code combines branches, not {self.kind!r}"
        if self.kind != "random":
            keys["seed"] = f"as only a random code is drawn, not {self.kind!r}"
        return keys

    def _check(self):
        self._require(self.kind in CODES, "kind", one_of(CODES, self.kind))
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
                self._require(len(getattr(self, key)) == 1, key, f"a single number, as code.kind is {self.kind!r}")
        if self.kind == "random":
            self._require(
                self.information_bits[0] <= LARGEST_CODEBOOK,
                "information_bits",
                f"at most {LARGEST_CODEBOOK}, as a random code is decoded by enumerating its codewords",
            )
            self._require(0 <= self.seed < 2**32, "seed", "an integer from 0 to 2^32 - 1")
            return
        for information, code in zip(self.information_bits, self.code_bits, strict=True):
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


class Objective(Section):
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
    samples: Integer = 1
    alpha: float = 0.0
    doubly_reparameterised: bool = False
    exact_kl: bool = True

    _place: ClassVar[str] = "objective."

    def idle(self):
        """See `Section.idle`."""
        return {} if self.kind == "reinforce_loo" else {"exact_kl": "unless objective.kind is 'reinforce_loo'"}

    def _check(self):
        self._require(self.kind in OBJECTIVES, "kind", one_of(OBJECTIVES, self.kind))
        self._require(self.samples >= 1, "samples", "at least 1")
        self._require(0 <= self.alpha <= 1, "alpha", "a number in [0, 1]")
        if self.kind != "vriwae":
            self._require(self.alpha == 0, "alpha", f"0, as objective.kind is {self.kind!r} and not 'vriwae'")
        if self.kind == "reinforce_loo":
            self._require(self.samples >= 2, "samples", "at least 2: the others are the baseline of each")
        if self.kind not in ("iwae", "vriwae"):
            self._require(
                not self.doubly_reparameterised,
                "doubly_reparameterised",
                "false unless objective.kind is 'iwae' or 'vriwae'",
            )


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
      code: a `Code`.
      network: a `Network`.
      objective: an `Objective`.
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
    code: Code
    network: Network
    objective: Objective = pydantic.Field(default_factory=Objective)
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
        if self.code.kind != "hierarchical":
            for key in ("information_bits", "code_bits"):
                values["code"][key] = values["code"][key][0]
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
        words = self.objective.kind == "reinforce_loo"
        if self.code.kind == "random" and not words:
            raise ConfigError(
                f"objective.kind is {self.objective.kind!r}; expected 'reinforce_loo', as the bits of a random code "
                "are not independent given the image"
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
