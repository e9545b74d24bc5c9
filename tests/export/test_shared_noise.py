"""The benchmark that measures error rates as the published evaluation does."""

import re

import commands
import numpy as np
import pytest
import small_models
import tiny_networks

from benchmarks.shared_noise import OtherNoise, no_noise, shared_noise
from tfcoded import codes


def test_copies_share_their_noise_and_bits_do_not():
    """Of 12,000 draws the mean is known to 0.0006; the bound is six times that, and the seed is fixed."""
    bits = np.tile([[0, 1, 1]], [12_000, 1])
    z = shared_noise(codes.Repetition(3, 12), bits, 15.0, [1, 2]).numpy().reshape(-1, 3, 4)
    assert (z == z[..., :1]).all()
    mean = 1 / 15 - 1 / (np.exp(15) - 1)
    np.testing.assert_allclose(z[..., 0].mean(axis=0), [mean, 1 - mean, 1 - mean], atol=0.0036)
    assert np.abs(np.corrcoef(z[..., 0].T) - np.eye(3)).max() < 0.055  # six standard errors of 0.0091


def test_everything_but_the_noise_is_the_codec_s():
    class Codec:
        def draw(self, images, seed):
            return images, seed

    other = OtherNoise(Codec(), lambda bits, seed: bits + seed, lambda z: 2 * z)
    assert other.draw("images", "seed") == ("images", "seed")
    assert other.decode(3, 4) == {"images": 14}


def test_without_noise_the_codeword_is_sent():
    z = no_noise(codes.Repetition(2, 6), np.array([[0, 1]], np.int32))
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, [[0, 0, 0, 1, 1, 1]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two SavedModels, `repetition` and `random`."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("repetition", "random"):
        small_models.save(name, folder)
    return folder


def run(*arguments):
    return commands.run("benchmarks.shared_noise", *arguments, prepare=tiny_networks.PREPARE)


def test_the_command(folder):
    done = run(f"--model={folder}/repetition", "--runs=3")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "repetition, 3 runs of 1,000 words" in done.stdout
    rows = re.findall(r"\| (independent|shared|none) \| (.*) \|", done.stdout)
    assert [name for name, _ in rows] == ["independent", "shared", "none"]
    rates = {name: [float(cell.split(" ± ")[0]) for cell in cells.split(" | ")] for name, cells in rows}
    for ber, wer, ber_map, wer_map in rates.values():
        assert 0 < ber <= wer <= 1 and 0 <= ber_map <= wer_map <= 1
    assert rates["independent"] != rates["shared"] != rates["none"] != rates["independent"]


@pytest.mark.parametrize(
    "model, error",
    [
        ("zoo", "--model zoo holds no SavedModel"),
        ("zoo/bwlc_bec_cifar10", "--model zoo/bwlc_bec_cifar10 is no Coded-DVAE"),
        ("{}/random", "has no repetition code, whose copies could share their noise"),
    ],
)
def test_what_is_refused(model, error, folder):
    done = run(f"--model={model.format(folder)}")
    assert done.returncode == 2 and error in done.stderr and "Traceback" not in done.stderr
