"""The command line of the classifier; what it trains is tested in tests/networks/test_classifier.py."""

import json
import os
import pathlib
import subprocess
import sys

import commands
import fake_codec
import numpy as np
import pytest

from tfcoded.utils.files import lock
from tfcoded.zoo import checksums

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--out"),
        (
            ["--out=x", "--dataset=absent.npz"],
            "--dataset=absent.npz: expected cifar10|fashion_mnist|mnist, or the path",
        ),
        (["--out=full"], "full is not empty; give another --out or --overwrite"),
        (["--out=full/file"], "full/file is a file; expected a folder"),
        (["--out=x", "--dataset=celeba"], "cifar10|fashion_mnist|mnist"),
        (["--out=x", "--epochs=0"], "epochs"),
        (["--out=x", "--learning_rate=nan"], "--learning_rate=nan: expected a positive number"),
        (["--out=x", "--learning_rate=inf"], "--learning_rate=inf: expected a positive number"),
        (["--out=x", "--learning_rate=0"], "--learning_rate=0: expected a positive number"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    result = subprocess.run(
        [sys.executable, "-m", "tfcoded.train_classifier", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert (tmp_path / "full" / "file").exists()


SMALL = """
import numpy as np
from tfcoded import data
images = np.random.default_rng(0).integers(0, 256, [64, 28, 28, 1]).astype(np.uint8)
data.load = lambda name, folder: data.Dataset(name, images, np.arange(64) % 10, images, np.arange(64) % 10)
"""
ENDED = """
import tensorflow as tf
def end(*arguments):
    raise KeyboardInterrupt
tf.saved_model.save = end
"""


def test_an_entry_is_replaced_whole_and_nothing_is_trained_twice(tmp_path):
    entry = tmp_path / "classifier_mnist"
    (entry / "1").mkdir(parents=True)
    (entry / "1" / "saved_model.pb").write_text("old")
    checksums.update(tmp_path, entry.name)
    arguments = ("tfcoded.train_classifier", "--dataset=mnist", "--epochs=2", "--out=classifier_mnist")
    ended = commands.run(*arguments, "--overwrite", cwd=tmp_path, prepare=SMALL + ENDED)
    assert ended.returncode == 130, ended.stderr
    assert "epoch 1 of 2: accuracy 0." in ended.stdout and "left)" in ended.stdout
    assert sorted(path.name for path in entry.iterdir()) == [".lock", ".training.npz", "1"]
    assert checksums.verify(tmp_path, entry.name) == 1

    (entry / ".new.killed").mkdir()
    with lock(entry):
        done = commands.run(*arguments, "--overwrite", cwd=tmp_path, prepare=SMALL)
    expected = "error: another process is training in classifier_mnist; wait for it or choose another folder\n"
    assert (done.returncode, done.stderr) == (2, expected)
    done = commands.run(*arguments, "--overwrite", cwd=tmp_path, prepare=SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("going on after epoch 2 of 2\ntest accuracy 0.")
    assert sorted(path.name for path in entry.iterdir()) == [".lock", "1", "README.md", "metrics.json"]
    assert checksums.verify(tmp_path, entry.name) > 1
    assert 'tf.saved_model.load("classifier_mnist/1")' in (entry / "README.md").read_text()
    again = commands.run(*arguments, cwd=tmp_path, prepare=SMALL)
    assert again.stderr == "error: classifier_mnist is not empty; give another --out or --overwrite\n"


def test_a_classifier_of_own_labelled_images_measures_their_semantic_accuracy(tmp_path):
    """As Keras stores images: noise with nothing in it, with a bright square, with a bright stripe."""
    labels = np.arange(420)[:, np.newaxis] % 3
    images = np.random.default_rng(0).integers(0, 128, [420, 28, 28]).astype(np.uint8)
    images[1::3, 8:20, 8:20] += 100
    images[2::3, :, 10:14] += 100
    arrays = {"x_train": images[:390], "y_train": labels[:390], "x_test": images[390:], "y_test": labels[390:]}
    np.savez(tmp_path / "shades.npz", **arrays)
    arguments = ("--dataset=shades.npz", "--epochs=4", "--batch_size=32", "--out=shades")
    done = commands.run("tfcoded.train_classifier", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "shades" / "metrics.json").read_text())
    assert content["name"] == "classifier_shades" and content["metrics"]["accuracy"]["value"] > 0.9
    card = (tmp_path / "shades" / "README.md").read_text()
    assert "one of 3 classes" in card and "(30 images)" in card and "-> [N, 3]" in card and "Licence" not in card

    fake_codec.save(tmp_path / "model", str(tmp_path / "shades.npz"), shade=1.0)  # shows what it is given
    arguments = ("--saved_model=model", "--metrics=reconstruction")
    done = commands.run("tfcoded.evaluate", *arguments, "--out=without.json", cwd=tmp_path)
    assert "python -m tfcoded.train_classifier makes one for --classifier" in done.stdout, done.stderr
    done = commands.run("tfcoded.evaluate", *arguments, "--classifier=shades", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(content["metrics"]["accuracy"]["value"], abs=1e-6)
    assert not any("no accuracy" in note for note in found["notes"])
