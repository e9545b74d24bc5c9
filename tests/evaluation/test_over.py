"""python -m tfcoded.evaluate --over, and what it reads and prints."""

import json
import os

import commands
import fake_codec
import numpy as np
import pytest
from PIL import Image

from tfcoded import pictures
from tfcoded.channels import binary_symmetric_capacity
from tfcoded.evaluation import noisy_channel
from tfcoded.metrics import Estimate
from tfcoded.utils.errors import UserError


def run(*arguments, cwd):
    environment = {name: value for name, value in os.environ.items() if name != "TFCODED_ZOO"}
    return commands.run("tfcoded.evaluate", *arguments, cwd=cwd, env=environment)


def test_parse():
    assert noisy_channel.parse("bsc:0.2,0,0.05") == noisy_channel.Sweep("bsc", (0.0, 0.05, 0.2))
    assert noisy_channel.parse("bec:1") == noisy_channel.Sweep("bec", (1.0,))


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected a channel"),
        ("bsc", "expected a channel"),
        ("bsc:", "expected a channel"),
        ("awgn:0.1", "unknown channel 'awgn'"),
        ("bsc:0.1,x", "'x' is not a number"),
        ("bsc:0.1,", "'' is not a number"),
        ("bsc:1.5", "1.5 is no flip probability"),
        ("bec:-0.1", "-0.1 is no erasure probability"),
        ("bec:nan", "nan is no erasure probability"),
        ("bsc:0.1,0.10", "0.10 is there twice"),
    ],
)
def test_bad_values(text, message):
    with pytest.raises(UserError, match=message) as caught:
        noisy_channel.parse(text)
    assert "\n" not in str(caught.value)


def test_the_noise_where_capacity_is_the_rate():
    assert noisy_channel.parse("bec:0").limit(0.25) == 0.75
    sweep = noisy_channel.parse("bsc:0")
    assert sweep.limit(1.0) == 0
    for rate in (1 / 30, 0.5):
        assert binary_symmetric_capacity(sweep.limit(rate)) == pytest.approx(rate, abs=1e-12)
    assert sweep.limit(0.5) == pytest.approx(0.1100, abs=1e-4)


def test_labels_and_comparisons():
    assert [noisy_channel.label(x) for x in (0.0, 0.05, 0.123456789)] == ["0", "0.05", "0.123456789"]
    assert [noisy_channel.compare(0.5, x) for x in (0.6, 0.5 + 1e-15, 0.4)] == ["below", "at", "above"]


def test_picture_marks_where_capacity_is_the_rate(tmp_path):
    metrics = {name: Estimate(0.1, None) for name in ("wer", "ber", "wer_images", "psnr", "ssim")}
    arguments = {"noiseless": {}, "parameter": "noise", "capacity": ([0, 0.5], [1, 0]), "limit": (0.2, 0.6)}
    sizes = []
    for more in ({}, {"accuracy": Estimate(0.5, 0.1)}):
        rows = [{"parameter": 0.1, "capacity": 0.5, "metrics": metrics | more}]
        pictures.transmission_curves(rows, tmp_path / "curves.png", **arguments)
        found = np.asarray(Image.open(tmp_path / "curves.png"))[..., :3].astype(int)
        assert (np.abs(found - (217, 115, 26)).sum(axis=-1) < 30).sum() > 100  # the rate and its point
        sizes.append(found.shape[1])
    assert sizes[0] < sizes[1]  # a panel more
    with pytest.raises(ValueError, match="nothing to draw"):
        pictures.transmission_curves([], tmp_path / "none.png", **arguments)


def test_command(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [20, 28, 28, 1]).astype(np.uint8)
    np.savez(tmp_path / "images.npz", train_images=images, test_images=images)
    fake_codec.save(tmp_path / "model", str(tmp_path / "images.npz"))  # 5 bits in 50, 10 copies each
    arguments = ("--saved_model=model", "--over=bec:0.9,0", "--runs=2", "--words=500", "--out=noisy.json")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    header, quiet, noisy, none, *notes = result.stdout.splitlines()
    assert header.split()[:4] == ["erasure", "probability", "capacity", "rate"] and "accuracy" not in header
    assert quiet.split()[:4] == ["0", "1.0000", "below", "0.0000"]
    assert noisy.split()[:3] == ["0.9", "0.1000", "at"] and none.split()[:2] == ["no", "channel"]
    assert "rate 5/50 = 0.1" in notes[0] and "at erasure probability 0.9" in notes[0]
    assert notes[-1] == "written to noisy.json and noisy_over.png"
    assert (tmp_path / "noisy_over.png").read_bytes().startswith(b"\x89PNG")

    content = json.loads((tmp_path / "noisy.json").read_text())
    assert content["over"]["limit"] == pytest.approx(0.9)
    assert [level["parameter"] for level in content["over"]["levels"]] == [0.0, 0.9]
    assert (content["images"], content["runs"], content["words"]) == (20, 2, 500)
    assert "--over=bec:0.9,0" in content["command"]
    metrics = {name: found["value"] for name, found in content["metrics"].items()}
    expected = 1 - (1 - 0.5 * 0.9**10) ** 5
    error = np.sqrt(expected * (1 - expected) / 1000)  # of 1,000 words
    assert metrics["wer_bec_0.9"] == pytest.approx(expected, abs=4.5 * error)  # false-failure rate 7e-6
    assert metrics["wer_images_bec_0"] == 0 and metrics["psnr_bec_0"] == metrics["psnr_noiseless"]


def test_mistakes_are_one_line(tmp_path):
    for arguments, message in (
        (["--over=bsc:2"], "error: --over=bsc:2: 2 is no flip probability; it must lie in [0, 1]\n"),
        (["--over=bsc:0.1", "--metrics=errors"], "leave out --metrics\n"),
        (["--over=bsc:0.1", "--add"], "leave out --add\n"),
    ):
        result = run("--workdir=missing", *arguments, cwd=tmp_path)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.endswith(message)
        assert result.stderr.count("\n") == 1
