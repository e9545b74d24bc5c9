"""tfcoded.config: strict loading, overrides, exact round trips."""

import subprocess
import sys

import pydantic
import pytest

from tfcoded import config
from tfcoded.codes import HierarchicalSettings, RepetitionSettings
from tfcoded.config import Config, ConfigError, Network, Training
from tfcoded.objectives import ElboSettings, IwaeSettings, VrIwaeSettings
from tfcoded.utils.errors import UserError

TEXT = """
name: coded_10_300
dataset: fashion_mnist
likelihood: bernoulli
beta: 15
code: {kind: repetition, information_bits: 10, code_bits: 300}
network: {image_shape: [28, 28, 1]}
training: {epochs: 200}
published: {psnr: 18.111, encoder_parameters: 6741804}
conflicts: {psnr: {Table 99: 18.2}}
tables: [Table 1]
parameters: {encoder: 6741804, decoder: 19640193}
"""


@pytest.fixture(name="settings")
def _settings():
    return config.from_yaml(TEXT)


def fails(text):
    """The message of the error that loading `text` raises."""
    with pytest.raises(ConfigError) as error:
        config.from_yaml(text)
    assert "\n" not in str(error.value)
    return str(error.value)


def edited(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_values_and_defaults(settings):
    assert settings == Config(
        name="coded_10_300",
        dataset="fashion_mnist",
        likelihood="bernoulli",
        beta=15.0,
        code=RepetitionSettings(information_bits=(10,), code_bits=(300,)),
        network=Network((28, 28, 1), 512, 1024),
        objective=ElboSettings(samples=1),
        training=Training(200, 128, 1e-4, 1e-4),
        published={"psnr": 18.111, "encoder_parameters": 6741804.0},
        conflicts={"psnr": {"Table 99": 18.2}},
        tables=("Table 1",),
        parameters={"encoder": 6741804, "decoder": 19640193},
    )
    assert type(settings.beta) is float
    assert type(settings.parameters["encoder"]) is int
    assert type(settings.network.image_shape) is tuple


def test_bits_and_rate(settings):
    assert (settings.information_bits, settings.code_bits, settings.rate) == (10, 300, 1 / 30)
    hierarchical = settings.replace(code=HierarchicalSettings(information_bits=(5, 8), code_bits=(50, 160)))
    assert (hierarchical.information_bits, hierarchical.code_bits, hierarchical.rate) == (13, 210, 13 / 210)


def test_frozen_and_hashable(settings):
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        settings.training.epochs = 3
    assert hash(settings) == hash(config.from_yaml(TEXT))


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("epochs: 200", "epoch: 200", ["'epoch'", "in training", "did you mean 'epochs'"]),
        ("beta: 15", "betta: 15", ["'betta'", "the configuration", "did you mean 'beta'"]),
        ("epochs: 200", "epochs: 200, zzz: 1", ["'zzz'", "in training", "epochs, batch_size, learning_rate"]),
        ("beta: 15", "1: 15", ["unknown key 1"]),
        ("beta: 15", "", ["no key 'beta'", "required"]),
        ("epochs: 200", "", ["training", "no key 'epochs'"]),
        ("training: {epochs: 200}", "training:", ["training is empty", "keys and values"]),
        ("training: {epochs: 200}", "training: 200", ["training is 200", "keys and values"]),
    ],
)
def test_unknown_and_missing_keys(old, new, parts):
    message = fails(edited(old, new))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("epochs: 200", "epochs: many", ["training.epochs is 'many'", "an integer"]),
        ("epochs: 200", "epochs: 200.0", ["training.epochs is 200.0", "an integer"]),
        ("epochs: 200", "epochs: true", ["training.epochs is true (a boolean)", "an integer"]),
        ("epochs: 200", "epochs: ", ["training.epochs is empty", "an integer"]),
        ("epochs: 200", "epochs: '200'", ["training.epochs is '200'", "an integer"]),
        ("epochs: 200", "epochs: 4294967296", ["training.epochs is 4294967296", "an integer below 2^32"]),
        ("code_bits: 300", f"code_bits: 1{'0' * 400}", ["code.code_bits[0] is 1000", "an integer below 2^32"]),
        ("beta: 15", "beta: yes", ["beta is true (a boolean)", "a finite number"]),
        ("beta: 15", "beta: '15'", ["beta is '15'", "a finite number"]),
        ("beta: 15", "beta: .nan", ["beta is nan", "a finite number"]),
        ("beta: 15", "beta: .inf", ["beta is inf", "a finite number"]),
        ("beta: 15", "beta: 1e999", ["beta is inf", "a finite number"]),
        ("beta: 15", f"beta: 1{'0' * 400}", ["beta is 1000", "a finite number"]),
        ("name: coded_10_300", "name: 10", ["name is 10", "a string"]),
        ("name: coded_10_300", "name: 2020-01-01", ["name is datetime", "a string"]),
        ("code_bits: 300", "code_bits: 300.0", ["code.code_bits is 300.0", "a list of integers"]),
        ("code_bits: 300", "code_bits: [true]", ["code.code_bits[0] is true (a boolean)", "an integer"]),
        ("code_bits: 300", "code_bits: 300, polar: 1", ["code.polar is 1", "expected true"]),
        ("[28, 28, 1]", "[28, 28]", ["network.image_shape is [28, 28]", "a list of 3 integers"]),
        ("[28, 28, 1]", "28x28x1", ["network.image_shape is '28x28x1'", "a list of 3 integers"]),
        ("[28, 28, 1]", "[28, 28, one]", ["network.image_shape[2] is 'one'", "an integer"]),
        ("psnr: 18.111", "psnr: high", ["published.psnr is 'high'", "a finite number"]),
        ("encoder: 6741804,", "encoder: 6.7,", ["parameters.encoder is 6.7", "an integer"]),
        ("{Table 99: 18.2}", "18.2", ["conflicts.psnr is 18.2", "keys and values"]),
        ("[Table 1]", "[1]", ["tables[0] is 1", "a string"]),
    ],
)
def test_wrong_types(old, new, parts):
    message = fails(edited(old, new))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("kind: repetition", "kind: repitition", ["code.kind is 'repitition'", "did you mean 'repetition'"]),
        ("code_bits: 300", "code_bits: 304", ["code.code_bits is 304", "a multiple of", "such as 300"]),
        ("code_bits: 300", "code_bits: 4", ["code.code_bits is 4", "such as 10"]),
        ("code_bits: 300", "code_bits: 0", ["code.code_bits is 0", "positive"]),
        ("code_bits: 300", "code_bits: []", ["code.code_bits", "positive"]),
        ("information_bits: 10", "information_bits: -10", ["code.information_bits is -10", "positive"]),
        ("kind: repetition", "kind: uncoded", ["code.code_bits is 300", "expected 10"]),
        ("code_bits: 300", "code_bits: [150, 150]", ["code.code_bits is [150, 150]", "a single number"]),
        ("code_bits: 300", "code_bits: 300, polar: false", ["code.polar is false", "hierarchical"]),
        ("kind: repetition", "kind: hierarchical", ["code.information_bits is 10", "at least two branches"]),
        (
            "kind: repetition, information_bits: 10, code_bits: 300",
            "kind: hierarchical, information_bits: [5, 5], code_bits: [50, 50, 50]",
            ["code.code_bits is [50, 50, 50]", "one number per branch, 2"],
        ),
        (
            "kind: repetition, information_bits: 10, code_bits: 300",
            "kind: hierarchical, information_bits: [5, 5], code_bits: [50, 52]",
            ["code.code_bits is [50, 52]", "a multiple"],
        ),
        ("[28, 28, 1]", "[30, 30, 1]", ["network.image_shape", "[28, 28, 1], [32, 32, 3], [64, 64, 3]"]),
        ("[28, 28, 1]", "[32, 32, 3]", ["expected [28, 28, 1], the shape of fashion_mnist images"]),
        ("[28, 28, 1]", "[28, 28, 1], encoder_width: 0", ["network.encoder_width is 0", "at least 1"]),
        ("bernoulli", "bernouli", ["likelihood is 'bernouli'", "did you mean 'bernoulli'"]),
        ("likelihood: bernoulli", "likelihood: gaussian", ["likelihood is 'gaussian'", "'bernoulli' for images of 1"]),
        ("beta: 15", "beta: 0", ["beta is 0.0", "above 0"]),
        ("beta: 15", "beta: 100", ["beta is 100.0", "at most 80"]),
        ("epochs: 200", "epochs: 0", ["training.epochs is 0", "at least 1"]),
        ("epochs: 200", "epochs: 200, batch_size: 0", ["training.batch_size is 0"]),
        ("epochs: 200", "epochs: 200, learning_rate: 0", ["training.learning_rate is 0.0"]),
        ("epochs: 200", "epochs: 200, l2: -1e-4", ["training.l2 is -0.0001"]),
        ("name: coded_10_300", "name: a/b", ["name is 'a/b'", "letters"]),
        ("dataset: fashion_mnist", "dataset: ' '", ["dataset is ' '", "a path"]),
        ("beta: 15", "beta: 15\nobjective: {kind: vae}", ["objective.kind is 'vae'", "'iwae', 'vriwae'"]),
        ("beta: 15", "beta: 15\nobjective: {kind: iwae, samples: 0}", ["objective.samples is 0"]),
        ("beta: 15", "beta: 15\nobjective: {kind: vriwae, alpha: 1.1}", ["objective.alpha is 1.1", "[0, 1]"]),
        ("beta: 15", "beta: 15\nobjective: {kind: vriwae, alpha: -0.1}", ["alpha is -0.1", "[0, 1]"]),
        ("beta: 15", "beta: 15\nobjective: {kind: reinforce_loo}", ["objective.samples is 1", "at least 2"]),
        ("beta: 15", "beta: 15\nobjective: {exact_kl: false}", ["objective.exact_kl is false", "'reinforce_loo'"]),
        ("kind: repetition", "kind: random", ["objective.kind is 'elbo'", "expected 'reinforce_loo'"]),
        ("kind: repetition", "kind: repetition, seed: 1", ["code.seed is 1", "expected 0", "only code.kind 'random'"]),
        ("kind: repetition", "kind: random, seed: -1", ["code.seed is -1"]),
        ("epochs: 200", "epochs: 200, samples_at_once: 0", ["training.samples_at_once is 0"]),
        ("beta: 15", "beta: 15\nobjective: {kind: iwae, alpha: 0.5}", ["objective.alpha is 0.5", "'vriwae'"]),
        (
            "beta: 15",
            "beta: 15\nobjective: {doubly_reparameterised: true}",
            ["objective.doubly_reparameterised is true", "'iwae' or 'vriwae'"],
        ),
    ],
)
def test_impossible_values(old, new, parts):
    message = fails(edited(old, new))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1.e-4", "1e+2", ".5e1", "1.0e-4", "2"])
def test_every_way_of_writing_a_number(text):
    loaded = config.from_yaml(edited("epochs: 200", f"epochs: 200, learning_rate: {text}"))
    assert loaded.training.learning_rate == float(text)


@pytest.mark.parametrize(
    "objective",
    [
        IwaeSettings(samples=10),
        IwaeSettings(samples=10, doubly_reparameterised=True),
        VrIwaeSettings(samples=10, alpha=0.5),
        VrIwaeSettings(samples=10, alpha=0.5, doubly_reparameterised=True),
        VrIwaeSettings(samples=10, alpha=0.0),
    ],
)
def test_later_objectives_are_configurations(settings, objective):
    changed = settings.replace(objective=objective)
    assert config.from_yaml(config.to_yaml(changed)).objective == objective


def test_python_values_are_checked_too(settings):
    repeated = RepetitionSettings(information_bits=10, code_bits=300)
    assert repeated == RepetitionSettings(information_bits=(10,), code_bits=[300]) == repeated.replace()
    with pytest.raises(ConfigError, match="code.code_bits"):
        RepetitionSettings(information_bits=10, code_bits=301)
    with pytest.raises(ConfigError, match="beta"):
        settings.replace(beta=-1)
    assert settings.replace(training={"epochs": 3}).training == Training(3)
    with pytest.raises(ConfigError, match="training is 3; expected keys and values"):
        settings.replace(training=3)
    with pytest.raises(ConfigError, match="unknown key 'epoch' in training; did you mean 'epochs'"):
        Training(epoch=3)
    assert issubclass(ConfigError, UserError) and issubclass(ConfigError, ValueError)


@pytest.mark.parametrize("text", ["", "- 1", "hello", "3"])
def test_not_a_mapping(text):
    assert "expected keys and values" in fails(text)


@pytest.mark.parametrize(
    "text, part",
    [
        ("a: [1", "not valid YAML"),
        ("a: 1\nb: 2\na: 3", "not valid YAML (line 3): key 'a' is given twice"),
        ("a: {b: 1, b: 2}", "key 'b' is given twice"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("a: 2020-13-45", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_not_yaml(text, part):
    assert part in fails(text)


def test_load_names_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="no configuration at .*config.yaml"):
        config.load(path)
    path.write_text(edited("epochs: 200", "epoch: 200"))
    with pytest.raises(ConfigError, match="config.yaml: unknown key 'epoch' in training"):
        config.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        config.load(path)
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        config.load(tmp_path)
    path.write_text(TEXT)
    assert config.load(str(path)) == config.from_yaml(TEXT)


@pytest.mark.parametrize("value", [1e-05, 0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 1e16])
def test_round_trip_is_exact(settings, value):
    changed = settings.replace(
        beta=min(value, 80.0 / 3.0),
        training=Training(7, 3, value, value),
        published={"psnr": -value},
        code=HierarchicalSettings(information_bits=(5, 3), code_bits=(50, 9), polar=False),
        objective=VrIwaeSettings(samples=3, alpha=0.1, doubly_reparameterised=True),
        dataset="/data/my images: é",
    )
    text = config.to_yaml(changed)
    assert config.from_yaml(text) == changed
    assert config.to_yaml(config.from_yaml(text)) == text


def test_yaml_is_readable(settings):
    lines = config.to_yaml(settings).splitlines()
    assert lines[:6] == [
        "name: coded_10_300",
        "dataset: fashion_mnist",
        "likelihood: bernoulli",
        "beta: 15.0",
        "code:",
        "  kind: repetition",
    ]
    assert "  image_shape: [28, 28, 1]" in lines
    assert not any(line.startswith("  polar") for line in lines)


def test_override_full_and_short_keys(settings):
    changed = config.override(settings, ["training.epochs=3", "beta=10", "batch_size = 64", "learning_rate=1e-3"])
    assert changed.training == Training(3, 64, 1e-3, 1e-4)
    assert changed.beta == 10.0
    assert config.override(settings, []) == settings
    assert settings.training.epochs == 200
    assert config.override(settings, ["epochs=3", "epochs=4"]).training.epochs == 4


def test_override_checks_the_result_only(settings):
    changed = config.override(
        settings, ["code.kind=hierarchical", "information_bits=[5, 5]", "code_bits=[50, 100]", "polar=false"]
    )
    assert changed.code == HierarchicalSettings(information_bits=(5, 5), code_bits=(50, 100), polar=False)
    moved = config.override(settings, ["dataset=cifar10", "image_shape=[32, 32, 3]", "likelihood=gaussian"])
    assert moved.network.image_shape == (32, 32, 3)
    assert config.override(settings, ["dataset=/data/a=b"]).dataset == "/data/a=b"


def test_override_keeps_only_facts_that_stay_true(settings):
    shorter = config.override(settings, ["epochs=3"])
    assert (shorter.published, shorter.conflicts, shorter.tables, shorter.parameters) == (
        settings.published,
        settings.conflicts,
        settings.tables,
        settings.parameters,
    )
    other = config.override(settings, ["training.learning_rate=1e-3"])
    assert (other.published, other.parameters) == ({}, settings.parameters)
    assert settings.without_published() == other.replace(training=settings.training)
    warmer = config.override(settings, ["beta=10"])
    assert (warmer.published, warmer.conflicts, warmer.tables) == ({}, {}, ())
    assert warmer.parameters == settings.parameters
    smaller = config.override(settings, ["encoder_width=64"])
    assert (smaller.published, smaller.parameters) == ({}, {})


@pytest.mark.parametrize(
    "assignment, parts",
    [
        ("training.epoch=3", ["unknown key 'training.epoch'", "did you mean 'training.epochs'"]),
        ("trainig.epochs=3", ["did you mean 'training.epochs'"]),
        ("epoch=3", ["did you mean 'training.epochs'"]),
        ("code.epochs=3", ["did you mean 'training.epochs'"]),
        ("lerning_rate=3", ["did you mean 'training.learning_rate'"]),
        ("bata=3", ["did you mean 'beta'"]),
        ("zzzzzz=3", ["unknown key 'zzzzzz'", "training.epochs"]),
        ("=3", ["unknown key ''"]),
        ("kind=elbo", ["ambiguous", "code.kind or objective.kind"]),
        ("training=3", ["'training' is a section", "training.epochs"]),
        ("published.psnr=3", ["a fact"]),
        ("parameters={}", ["a fact"]),
        ("epochs", ["'epochs'", "no '='"]),
        ("epochs=", ["training.epochs is empty"]),
        ("epochs=three", ["training.epochs is 'three'", "an integer"]),
        ("epochs=[", ["override 'epochs=['", "not valid YAML"]),
        ("code_bits=301", ["code.code_bits is 301", "300"]),
        ("dataset=cifar10", ["network.image_shape", "[32, 32, 3]"]),
    ],
)
def test_override_mistakes(settings, assignment, parts):
    with pytest.raises(ConfigError) as error:
        config.override(settings, [assignment])
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message


def test_import_needs_neither_tensorflow_nor_numpy():
    script = "import sys, tfcoded.config; print({'tensorflow', 'numpy', 'absl'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
