"""tfcoded.config.communication: strict loading, what means nothing, parts, overrides, exact round trips."""

import subprocess
import sys

import pytest

from tfcoded import config
from tfcoded.config import ConfigError
from tfcoded.config.channels import BinaryErasureSettings, BinarySymmetricSettings, GaussianSettings
from tfcoded.config.communication import SystemConfig, SystemNetwork, SystemTraining
from tfcoded.config.decoders import ALVSettings, DrawSettings, ResNetSettings

TEXT = """
name: mine
system: joint
dataset: celeba
beta: 0.1
channel: {kind: gaussian, bands: 5}
training: {epochs: 12}
figures: [Figure 5]
parameters: {encoder: 10, decoder: 20}
"""


@pytest.fixture(name="settings")
def _settings():
    return config.from_yaml(TEXT)


def changed(*replacements):
    """TEXT with parts of it replaced."""
    text = TEXT
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def fails(text):
    """The message of the error that loading `text` raises."""
    with pytest.raises(ConfigError) as error:
        config.from_yaml(text)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_values_and_defaults(settings):
    assert settings == SystemConfig(
        name="mine",
        system="joint",
        dataset="celeba",
        beta=0.1,
        channel=GaussianSettings(
            kind="gaussian",
            symbols=100,
            bands=5,
            snr=1.0,
            power="batch",
            reading="power",
            probabilities=(),
            marginalise="complete",
            fill_noise="none",
            filler_grad=False,
            reveal_bands=False,
        ),
        prior="gaussian",
        prior_space="y",
        objective="rd",
        decoder=ResNetSettings(),
        network=SystemNetwork((32, 32, 3), "base"),
        training=SystemTraining(12, 128, 1e-3, 1e-5, 1.0, 0.1, True),
        figures=("Figure 5",),
        parameters={"encoder": 10, "decoder": 20},
        published={},
    )
    assert settings.item_shape == (32, 32, 3)
    assert hash(settings) == hash(config.from_yaml(TEXT))


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("epochs: 12", "epoch: 12", ["'epoch'", "in training", "did you mean 'epochs'"]),
        ("system: joint", "sytem: joint", ["unknown key 'sytem'", "did you mean 'system'"]),
        ("system: joint", "", ["no key 'system'", "required"]),
        ("beta: 0.1", "", ["no key 'beta'", "required"]),
        ("system: joint", "system: jiont", ["system is 'jiont'", "did you mean 'joint'"]),
        ("kind: gaussian", "kind: binary", ["channel.kind is 'binary'", "'binary_symmetric'"]),
        ("kind: gaussian", "kind: gaussian, snr: 0", ["channel.snr is 0.0", "not in decibels"]),
        ("bands: 5", "bands: 7", ["channel.bands is 7", "a divisor of the 100 symbols"]),
        ("bands: 5", "bands: 0", ["channel.bands is 0", "at least 1"]),
        ("bands: 5", "symbols: 0", ["channel.symbols is 0"]),
        ("bands: 5", "power: total", ["channel.power is 'total'", "'codeword'"]),
        ("bands: 5", "reading: amplitude", ["channel.reading is 'amplitude'", "'power'", "channel.power is 'batch'"]),
        ("bands: 5", "p_keep: 0.8", ["channel.p_keep is 0.8", "expected 0.9", "only channel.kind 'binary_symmetric'"]),
        ("bands: 5", "erase_probability: 0.2", ["channel.erase_probability", "only channel.kind 'binary_erasure'"]),
        ("bands: 5", "samples: 3", ["channel.samples is 3", "expected 5", "'binary_symmetric' or 'binary_erasure'"]),
        ("bands: 5", "temperature: 0.3", ["channel.temperature is 0.3", "only channel.kind 'binary_symmetric'"]),
        ("bands: 5", "p_kep: 0.8", ["unknown key 'p_kep' in channel", "one of kind, symbols, bands"]),
        ("bands: 5", "marginalise: mc", ["channel.marginalise is 'mc'", "channel.bands is 1"]),
        ("bands: 5", "reveal_bands: true", ["channel.reveal_bands is true", "expected false,", "channel.bands is 1"]),
        ("bands: 5", "bands: 5, probabilities: [0, 1]", ["channel.probabilities", "6 numbers that sum to 1"]),
        ("bands: 5", "bands: 5, probabilities: [0, 1, 1, 0, 0, 0]", ["channel.probabilities", "sum to 1"]),
        ("bands: 5", "bands: 5, probabilities: [2, -1, 0, 0, 0, 0]", ["channel.probabilities", "sum to 1"]),
        ("bands: 5", "bands: 5, probabilities: [a]", ["channel.probabilities[0] is 'a'", "a finite number"]),
        ("bands: 5", "bands: 5, probabilities: {a: 1}", ["channel.probabilities", "a list of numbers"]),
        ("gaussian, bands: 5", "binary_symmetric, p_keep: 1.5", ["channel.p_keep is 1.5", "[0, 1]"]),
        ("gaussian, bands: 5", "binary_symmetric, mode: relaxed, p_keep: 1", ["channel.p_keep is 1.0", "(0, 1)"]),
        ("gaussian, bands: 5", "binary_symmetric, samples: 1", ["channel.samples is 1", "at least 2"]),
        ("gaussian, bands: 5", "binary_symmetric, temperature: 0.3", ["channel.temperature", "channel.mode is 'hard'"]),
        ("gaussian, bands: 5", "binary_symmetric, mode: mixture, samples: 3", ["channel.mode is 'mixture'"]),
        ("gaussian", "binary_symmetric", ["channel.bands is 5", "expected 1", "only channel.kind 'gaussian'"]),
        ("gaussian, bands: 5", "binary_erasure, snr: 2", ["channel.snr is 2", "expected 1.0"]),
        ("gaussian, bands: 5", "binary_erasure, erase_probability: -1", ["channel.erase_probability is -1.0"]),
        (
            "gaussian, bands: 5",
            "binary_erasure, posterior_temperature: 0",
            ["posterior_temperature is 0", "expected 0.2"],
        ),
        ("gaussian, bands: 5", "binary_symmetric, posterior_temperature: 0", ["posterior_temperature", "above 0"]),
        ("dataset: celeba", "dataset: mnist", ["network.image_shape", "[28, 28, 1]", "mnist"]),
        ("dataset: celeba", "dataset: normal", ["dataset is 'normal'", "expected images", "'joint'"]),
        ("beta: 0.1", "beta: -0.1", ["beta is -0.1", "at least 0"]),
        ("beta: 0.1", "beta: 0.1\npublished: {psnr: 1}", ["published", "no numbers"]),
        ("beta: 0.1", "beta: 0.1\nprior: convdraw", ["prior is 'convdraw'", "'draw'"]),
        ("beta: 0.1", "beta: 0.1\nprior_space: x", ["prior_space is 'x'", "'y', 'z'"]),
        ("beta: 0.1", "beta: 0.1\nobjective: rdo", ["objective is 'rdo'", "did you mean 'rd'"]),
        ("beta: 0.1", "beta: 0.1\ndecoder: {kind: alvv}", ["decoder.kind is 'alvv'", "did you mean 'alv'"]),
        ("beta: 0.1", "beta: 0.1\ndecoder: {kind: draw, observation_std: 0.1}", ["decoder.observation_std", "0.05"]),
        ("beta: 0.1", "beta: 0.1\ndecoder: {kind: alv, observation_std: 0}", ["decoder.observation_std", "above 0"]),
        ("beta: 0.1", "beta: 0.1\ndecoder: {kind: alv, latent_prior: no}", ["decoder.latent_prior is false"]),
        ("beta: 0.1", "beta: 0.1\nnetwork: {image_shape: [36, 32, 3]}", ["network.image_shape", "multiples of 8"]),
        ("beta: 0.1", "beta: 0.1\nnetwork: {image_shape: [0, 32, 3]}", ["network.image_shape", "multiples of 8"]),
        ("beta: 0.1", "beta: 0.1\nnetwork: {image_shape: [32, 32, 2]}", ["network.image_shape", "3 or 1 channels"]),
        ("beta: 0.1", "beta: 0.1\nnetwork: {size: smal}", ["network.size is 'smal'", "did you mean 'small'"]),
        ("epochs: 12", "epochs: 0", ["training.epochs is 0"]),
        ("epochs: 12", "epochs: 12, batch_size: 0", ["training.batch_size is 0"]),
        ("epochs: 12", "epochs: 12, learning_rate: 0", ["training.learning_rate is 0.0"]),
        ("epochs: 12", "epochs: 12, final_learning_rate: 0.1", ["final_learning_rate is 0.1", "to learning_rate"]),
        ("epochs: 12", "epochs: 12, clip_norm: 0", ["training.clip_norm is 0.0"]),
        ("epochs: 12", "epochs: 12, warm_up: 1.5", ["training.warm_up is 1.5", "[0, 1]"]),
        ("epochs: 12", "epochs: 12, flip: 1", ["training.flip is 1", "true or false"]),
        ("epochs: 12", "epochs: 12, l2: 1e-4", ["unknown key 'l2' in training"]),
    ],
)
def test_mistakes(old, new, parts):
    message = fails(changed((old, new)))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "replacements, parts",
    [
        ([("bands: 5", "bands: 1"), ("beta: 0.1", "beta: 0.1\nobjective: elbo")], ["objective is 'elbo'", "is 1"]),
        ([("joint", "separate")], ["channel.bands is 5", "expected 1", "'separate' and not 'joint'"]),
        ([("joint", "separate"), (", bands: 5", ""), ("beta: 0.1", "beta: 1\nprior: draw")], ["prior is 'draw'"]),
        (
            [("joint", "separate"), (", bands: 5", ""), ("beta: 0.1", "beta: 1\ndecoder: {kind: draw}")],
            ["decoder.kind is 'draw'", "expected 'resnet'"],
        ),
        ([("joint", "separate"), ("gaussian, bands: 5", "binary_erasure")], ["kind is 'binary_erasure'", "'joint'"]),
        ([("joint", "source_vae"), ("bands: 5", "snr: 10")], ["channel.snr is 10.0", "sends nothing over a channel"]),
        ([("gaussian, bands: 5", "binary_erasure"), ("beta: 0.1", "beta: 1\nprior: draw")], ["prior is 'draw'"]),
        (
            [("bands: 5", "bands: 50"), ("beta: 0.1", "beta: 0.1\nprior: draw_spatial")],
            ["prior is 'draw_spatial'", "2 symbols", "multiple of 4"],
        ),
        (
            [("bands: 5", "bands: 5, fill_noise: channel"), ("beta: 0.1", "beta: 0.1\nprior_space: z")],
            ["channel.fill_noise is 'channel'", "prior_space is 'z'"],
        ),
        (
            [("bands: 5", "bands: 5, fill_noise: channel"), ("beta: 0.1", "beta: 0.1\nobjective: elbo")],
            ["channel.fill_noise is 'channel'", "objective is 'elbo'"],
        ),
        ([("joint", "channel_autoencoder"), ("bands: 5", "snr: 10")], ["dataset is 'celeba'", "expected 'normal'"]),
        ([("joint", "separate"), ("bands: 5", "power: element")], ["channel.power is 'element'", "'batch'"]),
        ([("joint", "separate"), ("bands: 5", "power: none")], ["channel.power is 'none'", "'batch'"]),
        ([("beta: 0.1", "beta: 0.1\nprior_space: z")], ["prior_space is 'z'", "prior is 'gaussian'"]),
        (
            [("joint", "channel_autoencoder"), ("bands: 5", "snr: 10"), ("celeba", "normal")],
            ["beta is 0.1", "expected 0", "no rate"],
        ),
        (
            [
                ("joint", "channel_autoencoder"),
                ("bands: 5", "snr: 10"),
                ("celeba", "normal"),
                ("beta: 0.1", "beta: 0"),
                ("epochs: 12", "epochs: 12, flip: false"),
            ],
            ["training.flip is false", "expected true", "sends no images"],
        ),
    ],
)
def test_parts_that_do_not_fit(replacements, parts):
    message = fails(changed(*replacements))
    assert all(part in message for part in parts), message


def every_kind():
    joint = config.from_yaml(TEXT)
    plain = joint.replace(channel=GaussianSettings(snr=10))
    yield joint
    yield plain
    yield joint.replace(prior="draw_spatial", prior_space="z", objective="elbo")
    law = GaussianSettings(bands=2, probabilities=(0.0, 0.25, 0.75), marginalise="mc", filler_grad=True)
    yield joint.replace(
        channel=law, decoder=ALVSettings(observation_std=0.1, latent_prior="unconditional"), prior="draw"
    )
    yield joint.replace(channel=GaussianSettings(power="element", reading="amplitude"))
    for mode in ("hard", "relaxed", "mixture"):
        channel = BinarySymmetricSettings(p_keep=0.8, mode=mode)
        yield joint.replace(channel=channel, decoder=DrawSettings())
    yield joint.replace(channel=BinaryErasureSettings(samples=9, erase_probability=0.3))
    yield joint.replace(system="source_vae", channel=GaussianSettings(symbols=64))
    yield plain.replace(system="separate", training=SystemTraining(3, flip=False, warm_up=0))
    yield plain.replace(system="channel_autoencoder", dataset="normal", beta=0, network=SystemNetwork(size="smoke"))


@pytest.mark.parametrize("settings", every_kind(), ids=lambda settings: f"{settings.system}-{settings.channel.kind}")
def test_round_trip(settings):
    text = config.to_yaml(settings)
    assert config.from_yaml(text) == settings
    assert config.to_yaml(config.from_yaml(text)) == text
    values = config.to_dict(settings)
    for key in settings.idle():
        section, _, leaf = key.rpartition(".")
        assert leaf not in (values.get(section, {}) if section else values)
    assert all(key not in values["channel"] for key in settings.channel.idle())
    assert "published" not in values and {} not in values.values()


def test_what_is_written():
    lines = config.to_yaml(config.from_yaml(changed((", bands: 5", "")))).splitlines()
    assert lines[:10] == [
        "name: mine",
        "system: joint",
        "dataset: celeba",
        "beta: 0.1",
        "channel:",
        "  kind: gaussian",
        "  symbols: 100",
        "  bands: 1",
        "  snr: 1.0",
        "  power: batch",
    ]
    assert lines[10] == "prior: gaussian"


def test_the_other_kind_of_configuration_is_not_taken_for_a_system():
    code = {"kind": "repetition", "information_bits": 5, "code_bits": 50}
    values = {"name": "a", "dataset": "mnist", "likelihood": "bernoulli", "beta": 15, "code": code}
    values |= {"network": {"image_shape": [28, 28, 1]}, "training": {"epochs": 1}}
    assert type(config.from_dict(values)) is config.Config
    assert config.from_dict(values).item_shape == (28, 28, 1)
    with pytest.raises(ConfigError, match="unknown key 'channel' in the configuration"):
        config.from_dict({**values, "channel": {}})
    with pytest.raises(ConfigError, match="dataset is 'normal'; expected images"):
        config.from_dict({**values, "dataset": "normal"})


def test_parts():
    channel = ("bands: 5", "snr: 10, symbols: 64, power: codeword")
    text = changed(("joint", "separate"), channel, ("12", "3, flip: false"))
    whole = config.override(config.from_yaml(text), ["network.image_shape=[64, 64, 3]", "dataset=images", "size=small"])
    source, channel = whole.part("source_vae"), whole.part("channel_autoencoder")
    assert (source.name, source.system, source.dataset, source.beta) == ("mine_source", "source_vae", "images", 0.1)
    assert source.channel == GaussianSettings(symbols=64)
    assert (source.network, source.training) == (whole.network, whole.training)
    assert (channel.name, channel.system, channel.dataset) == ("mine_channel", "channel_autoencoder", "normal")
    assert (channel.beta, channel.item_shape, channel.channel) == (0, (0,), whole.channel)
    assert channel.network.size == "small" and channel.training.epochs == 3
    for part in (source, channel):
        assert config.from_yaml(config.to_yaml(part)) == part
        assert (part.figures, part.parameters) == ((), {})
        with pytest.raises(ValueError, match="has the parts"):
            part.part("source_vae")
    with pytest.raises(ValueError, match="has the parts"):
        whole.part("joint")


def test_the_channel_code_does_not_depend_on_the_images():
    texts = [changed(("joint", "separate"), (", bands: 5", ""), ("beta: 0.1", f"beta: {beta}")) for beta in (0.1, 1)]
    first, second = (config.from_yaml(text) for text in texts)
    second = config.override(second, ["dataset=cifar10", "flip=false", "warm_up=0"])
    assert first.part("channel_autoencoder") == second.part("channel_autoencoder")


def test_override(settings):
    short = config.override(settings, ["snr=10", "size=small", "prior=draw", "decoder.kind=alv", "epochs=3"])
    assert (short.channel.snr, short.network.size, short.prior) == (10, "small", "draw")
    assert (short.decoder, short.training.epochs) == (ALVSettings(), 3)
    assert config.override(settings, ["probabilities=[0, 0, 0, 0, 0, 1]"]).channel.probabilities[-1] == 1
    binary = config.override(settings, ["channel.kind=binary_erasure", "bands=1"])
    assert binary.channel == BinaryErasureSettings()
    source = config.from_yaml(changed(("joint", "source_vae"), (", bands: 5", "")))
    with pytest.raises(ConfigError, match="decoder.kind is 'alv'; expected 'resnet'"):
        config.override(source, ["decoder.kind=alv"])


def test_override_keeps_only_facts_that_stay_true(settings):
    facts = (settings.figures, settings.parameters)
    shorter = config.override(settings, ["epochs=3"])
    assert (shorter.figures, shorter.parameters) == facts
    for harmless in (["beta=1"], ["dataset=cifar10"], ["name=other"]):
        found = config.override(settings, harmless)
        assert (found.figures, found.parameters) == ((), settings.parameters)
    separate = ["system=separate", "bands=1"]
    for other in (["prior=draw"], ["size=small"], ["decoder.kind=draw"], ["symbols=50"], separate):
        found = config.override(settings, other)
        assert (found.figures, found.parameters) == ((), {})


@pytest.mark.parametrize(
    "assignment, parts",
    [
        ("kind=draw", ["ambiguous", "channel.kind or decoder.kind"]),
        ("channel=1", ["'channel' is a section", "channel.snr"]),
        ("figures=[]", ["a fact"]),
        ("sn=1", ["did you mean 'channel.snr'"]),
        ("code.kind=uncoded", ["unknown key 'code.kind'"]),
    ],
)
def test_override_mistakes(settings, assignment, parts):
    with pytest.raises(ConfigError) as error:
        config.override(settings, [assignment])
    assert all(part in str(error.value) for part in parts), error.value


def test_scored_channels():
    assert BinaryErasureSettings().scored and BinarySymmetricSettings().scored
    assert not BinarySymmetricSettings(mode="relaxed").scored and not GaussianSettings().scored


def test_sizes_are_those_of_the_networks():
    from tfcoded import networks
    from tfcoded.config import communication

    assert sorted(communication.SIZES) == sorted(networks.SIZES)


def test_import_needs_neither_tensorflow_nor_numpy():
    script = "import sys, tfcoded.config.communication; print({'tensorflow', 'numpy', 'absl'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
