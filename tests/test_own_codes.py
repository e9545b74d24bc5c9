"""What is added from outside the package: configured, trained, evaluated and exported like what is inside."""

import json
import pathlib
import shutil
import subprocess
import sys

import commands
import keras
import numpy as np
import plugin_code
import pytest
import tensorflow as tf
import tiny_networks

from tfcoded import codes, config, objectives
from tfcoded.config import ConfigError
from tfcoded.models import AdamL2, CodedDVAE

CONFIG = """
name: mine
dataset: {dataset}
likelihood: bernoulli
beta: 15.0
code:
  kind: hamming
  copies: 2
network:
  image_shape: [28, 28, 1]
  encoder_width: 16
  decoder_width: 16
objective:
  kind: weighted_elbo
  samples: 1
  kl_weight: 0.5
training:
  epochs: 2
  batch_size: 16
  learning_rate: 0.001
  l2: 0.0001
"""
STRANGER = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load("run/saved_model/1")
images = np.load("images.npz")["test"]
bits = model.encode(images)["bits"]
np.savez("stranger.npz", bits=bits, images=model.decode(bits, [1, 2])["images"])
assert not {"tfcoded", "plugin_code"} & set(sys.modules)
"""


# A code and an objective.


def tiny_model(folder):
    """The model of the configuration, compiled, with stand-ins for its networks."""
    with pytest.MonkeyPatch.context() as patch:
        tiny_networks.replace_networks(patch)
        model = CodedDVAE.from_configuration(config.load(folder / "mine.yaml"))
    model.compile(optimizer=AdamL2(1e-2))
    return model


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    """A folder with a plug-in and a run that was trained with it."""
    folder = tmp_path_factory.mktemp("plugin")
    tiny_networks.settings(folder)
    shutil.copy(pathlib.Path(plugin_code.__file__), folder)
    (folder / "mine.yaml").write_text(CONFIG.format(dataset=folder / "images.npz"))
    arguments = ("--plugin=plugin_code", "--config=mine.yaml", "--workdir=run", "--runs=1", "--words=100")
    done = commands.run("tfcoded.train", *arguments, cwd=folder, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_code_and_an_objective_are_configured_from_yaml(folder):
    text = (folder / "mine.yaml").read_text().lstrip()
    settings = config.from_yaml(text)
    assert settings.code == plugin_code.HammingSettings(copies=2)
    assert settings.objective == plugin_code.WeightedElboSettings(kl_weight=0.5)
    assert (settings.information_bits, settings.code_bits, settings.code.branches) == (4, 14, (4,))
    assert config.to_yaml(settings) == text == (folder / "run/config.yaml").read_text()
    assert config.override(settings, ["copies=3", "kl_weight=2"]).code_bits == 21


def test_training_minimizes_the_objective_of_the_plug_in(folder):
    history = json.loads((folder / "run/history.json").read_text())
    assert len(history["elbo"]) == 2 and np.isfinite(history["elbo"]).all()
    model = tiny_model(folder)
    images = np.load(folder / "images.npz")["train"]
    terms = model.training_terms(images, [3, 4])
    np.testing.assert_allclose(terms["loss"], 0.5 * terms["kl"] - terms["reconstruction"], rtol=1e-6)
    before = model.evaluate(images, batch_size=40, verbose=0, return_dict=True)
    model.fit(images, batch_size=20, epochs=3, verbose=0)
    after = model.evaluate(images, batch_size=40, verbose=0, return_dict=True)
    # The decoder's bias alone gains hundreds of nats.
    assert after["elbo"] > before["elbo"] + 1


def test_a_keras_file_keeps_code_and_objective(folder, tmp_path, monkeypatch):
    tiny_networks.replace_networks(monkeypatch)
    model = tiny_model(folder)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.code == model.code == plugin_code.Hamming(2)
    assert type(again.objective) is plugin_code.WeightedElbo and again.objective.kl_weight == 0.5
    images = np.load(folder / "images.npz")["test"]
    np.testing.assert_array_equal(again.information_logits(images), model.information_logits(images))


@pytest.mark.parametrize(
    "changes, message",
    [
        (["code.copies=0"], "code.copies is 0; expected at least 1"),
        (["code.copies=2.5"], "code.copies is 2.5; expected an integer"),
        (["code.kind=haming"], "code.kind is 'haming'; expected one of .* (did you mean 'hamming'?)"),
        (["code.seed=3"], "code.seed is 3; expected 0, as only code.kind 'random' has it"),
        (
            ["code.kind=repetition", "information_bits=4", "code_bits=8"],
            "code.copies is 2; expected 1, as only code.kind",
        ),
        (["objective.kl_weight=.inf"], "objective.kl_weight is inf; expected a finite number"),
        (["coppies=3"], "did you mean 'code.copies'"),
    ],
)
def test_mistakes_in_its_settings(folder, changes, message):
    settings = config.load(folder / "mine.yaml")
    with pytest.raises(ConfigError) as error:
        config.override(settings, changes)
    parts = message.split(" .* ")
    assert all(part in str(error.value) for part in parts), error.value


def test_a_name_has_one_owner():
    with pytest.raises(ValueError, match="another code 'repetition', tfcoded.codes.repetition.RepetitionSettings"):
        codes.register(
            type("Mine", (plugin_code.HammingSettings,), {"kind": "repetition", "__annotations__": {"kind": str}})
        )
    assert codes.CodeSettings.kinds["repetition"] is codes.RepetitionSettings
    assert {"hamming", "weighted_elbo"} <= {*codes.CodeSettings.kinds, *objectives.ObjectiveSettings.kinds}


def test_without_the_plug_in_the_kind_is_unknown(folder):
    done = commands.run("tfcoded.evaluate", "--workdir=run", "--out=none.json", cwd=folder)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "code.kind is 'hamming'; expected one of 'uncoded', 'repetition'" in done.stderr
    assert not (folder / "none.json").exists()


def test_a_code_is_evaluated_and_drawn(folder):
    arguments = ("--plugin=plugin_code", "--workdir=run", "--out=metrics.json", "--runs=1", "--words=100")
    measured = "reconstruction,words,errors,calibration,likelihood"
    arguments += (f"--metrics={measured}", "--likelihood_draws=16", "--likelihood_images=5")
    done = commands.run("tfcoded.evaluate", *arguments, cwd=folder, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "metrics.json").read_text())
    assert {"psnr", "psnr_words", "ber", "ece_words", "log_likelihood_hard"} <= set(record["metrics"])
    assert "a hamming code does not repeat bits" in record["likelihood"]["log_likelihood"]["note"]


def test_a_saved_model_needs_no_plug_in(folder):
    subprocess.run(
        [sys.executable, "-c", STRANGER], cwd=folder, check=True, env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
    )
    found = np.load(folder / "stranger.npz")
    model = tf.saved_model.load(str(folder / "run/saved_model/1"))
    images = np.load(folder / "images.npz")["test"]
    np.testing.assert_array_equal(found["bits"], model.encode(images)["bits"])
    np.testing.assert_allclose(found["images"], model.decode(found["bits"], [1, 2])["images"], atol=1e-6)
    assert found["bits"].shape == (20, 4)
