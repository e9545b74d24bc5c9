"""python -m tfcoded.fid with three features and no weights; what it refuses: test_inception_weights.py."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tfcoded import fid
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The command itself, but for the network.
COMMAND = """
from tfcoded import cli, fid
from tfcoded.metrics.frechet import distances
distances.FEATURES = 3
distances.inception_features = lambda weights: lambda images: images.mean(axis=(1, 2)) / 255
fid.define_flags()
cli.run(fid.main)
"""


@pytest.fixture(name="folder")
def _folder(tmp_path):
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, [count, 8, 8, 3]).astype(np.uint8) for count in (30, 20))
    np.savez(tmp_path / "both.npz", train=train, test=test)
    (tmp_path / "weights.npz").write_bytes(b"")
    return tmp_path


def test_sets_of_images(folder):
    path = folder / "both.npz"
    train, test = (np.load(path)[part] for part in ("train", "test"))
    np.testing.assert_array_equal(fid.load(f"{path}:train"), train)
    np.testing.assert_array_equal(fid.load(f"{path}:test"), test)
    np.testing.assert_array_equal(fid.load(str(path)), np.concatenate([train, test]))
    with pytest.raises(UserError, match="unknown part 'tset'; expected x:test, x:train or x"):
        fid.load("x:tset")


def test_the_command(folder):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", COMMAND, "--inception=weights.npz", "--cache=kept", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    result = run("--reference=both.npz:test", "--images=both.npz:train", "--out=fid.json")
    assert result.returncode == 0, result.stderr
    assert len(list((folder / "kept").iterdir())) == 2
    record = json.loads((folder / "fid.json").read_text())
    assert (record["images"], record["reference"]) == (30, 20)
    value = record["metrics"]["fid"]["value"]
    # Means over 64 pixels: variance 1 / (12 * 64) each, so the distance of equal distributions is near 0.
    assert 0 < value < 3 * 4 / (12 * 64)
    assert result.stdout.splitlines() == [
        f"FID {value:.4f}: both.npz:train (30 images) against both.npz:test (20 images)",
        "written to fid.json",
    ]
