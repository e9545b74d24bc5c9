"""The command line of the classifier; what it trains is tested in tests/networks/test_classifier.py."""

import os
import pathlib
import subprocess
import sys

import commands
import pytest

from tfcoded import checksums
from tfcoded.files import lock

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--out"),
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
