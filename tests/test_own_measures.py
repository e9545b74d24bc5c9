"""A metric, a data set and a zoo entry from outside the package: listed, trained, measured, shipped and loaded by name."""

import json

import commands
import numpy as np
import pytest
import tiny_networks

import tfcoded
from tfcoded import zoo

PLUGIN = """
import numpy as np

from tfcoded import data, metrics


def blots(data_dir):
    coarse = np.random.default_rng(0).integers(0, 2, size=(60, 4, 4)).repeat(7, 1).repeat(7, 2)
    return {"train": coarse[:40].astype(float), "test": coarse[40:].astype(float)}


def brightness(model):
    received = model.codec.reconstruct(metrics.as_float(model.images), [0, 1])["images"].numpy()
    found = {"brightness": metrics.estimate((received > model.plan.level).mean(axis=(1, 2, 3)))}
    return metrics.Measured(found, {"level": model.plan.level}, ["blots are bright"])


data.register("blots", blots, (28, 28, 1), licence="Blots of my own.")
level = metrics.Option("level", 0.5, "Intensity of what is bright.", least=0, most=1)
labels = {"brightness": "bright pixels of reconstructions"}
metrics.register("bright", brightness, default=True, options=[level], labels=labels)
metrics.register("digits", brightness, needs=["labels"])
"""
ENTRY = """
name: mine
dataset: blots
likelihood: bernoulli
beta: 15.0
code: {kind: repetition, information_bits: 4, code_bits: 20}
network: {image_shape: [28, 28, 1], encoder_width: 16, decoder_width: 16}
training: {epochs: 1, batch_size: 16, learning_rate: 0.0001, l2: 0.01}
"""


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(PLUGIN)
    (folder / "entries/mine").mkdir(parents=True)
    (folder / "entries/mine/config.yaml").write_text(ENTRY)
    run(folder, "tfcoded.train", "--model=mine", "--workdir=run", "--runs=1", "--words=5")
    return folder


def run(folder, module, *arguments, plugin="--plugin=own", status=0):
    arguments = [*([plugin] if plugin else []), "--zoo_dir=entries", *arguments]
    done = commands.run(module, *arguments, cwd=folder, prepare=tiny_networks.PREPARE)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def test_a_zoo_entry_is_one_file(folder):
    assert sorted(path.name for path in (folder / "entries/mine").iterdir())[0] == "config.yaml"
    listed = run(folder, "tfcoded.zoo", "--dataset=blots")
    assert [line.split()[:3] for line in listed.splitlines()[2:]] == [["mine", "blots", "4/20"]]


def test_a_metric_is_measured_after_a_training_and_by_name(folder):
    after = json.loads((folder / "run/metrics.json").read_text())
    assert after["level"] == 0.5 and 0 <= after["metrics"]["brightness"]["value"] <= 1
    assert list(after["metrics"])[-1] == "brightness" and "blots are bright" in after["notes"]
    measured = run(folder, "tfcoded.evaluate", "--workdir=run", "--metrics=bright", "--level=0", "--out=m.json")
    row = next(line for line in measured.splitlines() if line.startswith("brightness"))
    assert row.split()[1] == "1.0000" and "note: blots are bright" in measured
    record = json.loads((folder / "m.json").read_text())
    assert list(record["metrics"]) == ["brightness"] and record["level"] == 0 and record["images"] == 20
    added = ("--workdir=run", "--metrics=bright", "--out=m.json", "--add")
    assert "brightness" in run(folder, "tfcoded.evaluate", *added, status=2)  # was measured before


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--metrics=bright", "--level=2"], "--level"),
        (["--metrics=bright", "--level=nan"], "--level=nan: expected a number from 0 to 1"),
        (["--metrics=digits"], "--metrics=digits needs labels, which the images of blots have not"),
        (["--metrics=brigth"], "--metrics=brigth: expected some of reconstruction, words, errors, calibration"),
    ],
)
def test_what_cannot_be_measured_is_refused(folder, arguments, message):
    said = run(folder, "tfcoded.evaluate", "--workdir=run", "--out=refused.json", *arguments, status=2)
    assert message in said and said.startswith("error: ") and said.count("\n") == 1
    assert not (folder / "refused.json").exists()


def test_without_the_plug_in_the_message_says_so(folder):
    again = ("--model=mine", "--workdir=run", "--epochs=2")
    said = run(folder, "tfcoded.train", *again, plugin=None, status=2)
    assert "unknown data set 'blots'" in said and "--plugin=MODULE" in said and said.count("\n") == 1
    said = run(folder, "tfcoded.evaluate", "--workdir=run", "--metrics=bright", plugin=None, status=2)
    assert "--metrics=bright: expected some of reconstruction" in said and "--plugin=MODULE" in said


def test_it_is_shipped_verified_and_loaded_by_name(folder):
    run(folder, "export", "--workdir=run", "--out=exported")
    assert (folder / "exported/1/saved_model.pb").is_file()
    arguments = ("--workdir=run", "--metrics=reconstruction,bright", "--level=0.25")
    run(folder, "export.ship", *arguments)
    card = (folder / "entries/mine/README.md").read_text()
    assert "| bright pixels of reconstructions" in card and "Blots of my own." in card and "`brightness`" not in card
    images = np.zeros([3, 28, 28, 1], np.uint8)
    assert tfcoded.load("mine", folder / "entries").encode(images)["bits"].shape == (3, 4)
    assert zoo.measured("mine", zoo_dir=folder / "entries").keys() >= {"psnr", "brightness"}
    measured = run(folder, "tfcoded.evaluate", "--model=mine", "--metrics=bright", "--level=0.25", "--out=again.json")
    shipped = json.loads((folder / "entries/mine/metrics.json").read_text())["metrics"]["brightness"]
    assert json.loads((folder / "again.json").read_text())["metrics"]["brightness"] == shipped and measured
    run(folder, "tfcoded.zoo", "verify", "mine")
