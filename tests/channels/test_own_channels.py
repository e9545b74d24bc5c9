"""Channels from outside the package: configured, trained, measured, exported; the SavedModel needs none of them."""

import json
import shutil
import subprocess
import sys

import commands
import numpy as np
import own_channels
import pytest
import tensorflow as tf
from sampled import assert_mean

from tfcoded import config, models
from tfcoded.channels import BandwidthLimitedChannel, BitChannel
from tfcoded.codec.communication import SystemModule
from tfcoded.codes import Repetition
from tfcoded.config import ConfigError
from tfcoded.evaluation import noisy_channel
from tfcoded.families import of
from tfcoded.metrics import communication, transmission

SEED = tf.constant([1, 2])

SYSTEM = """
name: mine
system: joint
dataset: {folder}/images.npz
beta: 0.1
channel: {channel}
network: {{size: smoke, image_shape: [8, 8, 3]}}
training: {{epochs: 2, batch_size: 16}}
"""
CHANNELS = {"z": "{kind: z, symbols: 8, lost: 0.25}", "laplace": "{kind: laplace, symbols: 8, bands: 2, scale: 0.3}"}
STRANGER = """
import sys, numpy as np, tensorflow as tf
model = tf.saved_model.load("z/saved_model/1")
sent = model.transmit(np.zeros([3, 8, 8, 3], np.uint8), [1, 2])["symbols"]
images = model.receive(sent, 1, [1, 2])["images"]
assert sent.shape == (3, 8) and images.shape == (3, 8, 8, 3)
np.save("z.npy", np.stack([model.corrupt(np.full([4000, 8], y, np.float32), [3, 4])["symbols"] for y in (0, 1)]))
assert not {"tfcoded", "own_channels", "tensorflow_probability"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The Z-channel trained by the command, and what arrives as a process sees it that knows of no such channel."""
    folder = tmp_path_factory.mktemp("own")
    images = np.random.default_rng(0).integers(0, 256, [40, 8, 8, 3]).astype(np.uint8)
    np.savez(folder / "images.npz", train=images[:32], test=images[32:])
    shutil.copy(own_channels.__file__, folder)
    (folder / "z.yaml").write_text(SYSTEM.format(folder=folder, channel=CHANNELS["z"]))
    done = commands.run("tfcoded.train", "--plugin=own_channels", "--config=z.yaml", "--workdir=z", cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    subprocess.run([sys.executable, "-c", STRANGER], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("kind", CHANNELS)
def test_configuration_round_trip_and_words(kind):
    settings = config.from_yaml(SYSTEM.format(folder="x", channel=CHANNELS[kind]))
    assert config.from_yaml(config.to_yaml(settings)) == settings
    assert settings.channel.label == kind and f"kind {kind}" in of(settings).describe(settings)
    assert settings.channel.build("channel").name == "channel"
    assert config.override(settings, ["symbols=4"]).channel.symbols == 4


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("{kind: z, lots: 0.1}", "unknown key 'lots' in channel; did you mean 'lost'?"),
        ("{kind: z, lost: 2}", "channel.lost is 2.0; expected a number in"),
        ("{kind: z, scale: 2}", "channel.scale is 2; expected 0.5, as only channel.kind 'laplace' has it"),
        ("{kind: laplaze}", "channel.kind is 'laplaze'; expected .*did you mean 'laplace'"),
        ("{kind: laplace, power: element}", "channel.power is 'element'; expected one of 'batch'"),
    ],
)
def test_mistakes(channel, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.from_yaml(SYSTEM.format(folder="x", channel=channel))
    assert "\n" not in str(caught.value)


def test_what_needs_a_gaussian_channel_is_refused():
    text = SYSTEM.format(folder="x", channel=CHANNELS["laplace"])
    with pytest.raises(
        ConfigError, match="prior_space is 'z'; expected 'y', as what arrives .* 'laplace' is not normal"
    ):
        config.from_yaml(f"{text}prior_space: z\nprior: draw\n")
    with pytest.raises(ConfigError, match="channel.kind is 'laplace'; expected 'gaussian', as system is 'separate'"):
        config.from_yaml(text.replace("joint", "separate"))


def test_a_channel_of_bits_by_the_command(folder):
    content = json.loads((folder / "z" / "metrics.json").read_text())
    assert list(content["metrics"]) == ["mse", "psnr", "rate", "ber"]
    # Random bits, a quarter of whose ones are lost.
    assert 0.05 < content["metrics"]["ber"]["value"] < 0.2
    zeros, ones = np.load(folder / "z.npy")
    assert not zeros.any()
    # 32,000 bits within 4.5 standard errors: false-failure rate 7e-6.
    assert abs(np.mean(ones) - 0.75) < 4.5 * (0.75 * 0.25 / ones.size) ** 0.5


def test_a_channel_of_numbers():
    settings = config.from_yaml(SYSTEM.format(folder="x", channel=CHANNELS["laplace"]))
    model = models.build(settings)
    images = np.random.default_rng(0).integers(0, 256, [32, 8, 8, 3]).astype(np.uint8)
    model.compile(models.AdamL2(1e-3, l2=0.0), jit_compile=False)
    before = [weight.numpy() for weight in model.encoder.weights]
    history = model.fit(images, batch_size=16, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert any((old != new).any() for old, new in zip(before, model.encoder.weights))
    found = communication.measure(SystemModule(model, settings), settings, images, draws=1)
    bands = [f"mse_bands_{count}" for count in range(3)]
    assert list(found) == ["mse", "psnr", *bands, "rate", "transmission_rate", "power"]
    assert tuple(of(settings).rates(settings)) == ("rate", "transmission_rate")
    assert 0 < found["transmission_rate"].value < 8 * 3
    noise = model.corrupt(tf.zeros([4000, 8]), SEED).numpy()
    # Moments of 32,000 draws within 4.5 standard errors: false-failure rate 2e-5.
    assert_mean(np.abs(noise), 0.3)
    assert_mean(noise**2, 2 * 0.3**2)


def test_a_channel_of_bits_serves_a_code_too():
    sweep = noisy_channel.parse("z:0.3,0.1")
    assert (sweep.kind, sweep.parameters, sweep.parameter_name) == ("z", (0.1, 0.3), "probability that a one is lost")
    assert sweep.capacity(0.1) == pytest.approx(0.7628, abs=1e-4) and sweep.capacity(1.0) == 0
    assert sweep.capacity(sweep.limit(0.5)) == pytest.approx(0.5, abs=1e-9)
    quiet, noisy = (sweep.channel(level) for level in sweep.parameters)
    assert isinstance(quiet, BitChannel) and quiet.capacity_bits == sweep.capacity(0.1)
    ratio = noisy.log_likelihood_ratio(tf.constant([[0.0, 1.0]]))
    np.testing.assert_allclose(ratio, [[np.log(0.3), 100]], rtol=1e-6)
    rates = transmission.error_rates(Repetition(4, 12), [quiet, noisy], runs=4, words=1000)
    # A one is taken for a zero where all three copies are lost, 4.5 standard errors of 4,000 words of 4 bits.
    for level, found in zip(sweep.parameters, rates):
        expected = level**3 / 2
        assert abs(found["ber"].value - expected) < 4.5 * (expected / 16000) ** 0.5


def test_bands_of_any_channel_of_numbers_may_be_lost():
    channel = BandwidthLimitedChannel(own_channels.LaplaceChannel(0.3, power="codeword", bands=2), bands=2)
    sent = channel(tf.ones([5, 8]), seed=SEED, bands=1)
    assert sent["z"].shape == (5, 8) and "noise_std" not in sent
    np.testing.assert_array_equal(sent["z"][:, :4], sent["received"][:, :4])
