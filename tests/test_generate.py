"""python -m tfcoded.generate, in processes of its own, on a small SavedModel and the user's images."""

import pathlib

import commands
import fake_codec
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfcoded import codes, config, pictures
from tfcoded.codes.codebook import all_words
from tfcoded.pictures import of_models


def run(*arguments, cwd):
    return commands.run("tfcoded.generate", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "images.npz",
        train_images=rng.integers(0, 256, [4, 28, 28, 1]).astype(np.uint8),
        test_images=rng.integers(0, 256, [30, 28, 28, 1]).astype(np.uint8),
    )
    fake_codec.save(folder / "hierarchical", str(folder / "images.npz"), (3, 2))
    fake_codec.save(folder / "repetition", str(folder / "absent.npz"), (4,))
    return folder


def test_sheets_of_a_hierarchical_model(folder, tmp_path):
    model = folder / "hierarchical"
    arguments = ("--saved_model", model, "--out=out", "--rows=4", "--columns=5", "--words=3")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    names = ["samples.png", "reconstructions.png", "words.png", "m1_fixed.png"]
    assert result.stdout.split() == [f"out/{name}" for name in names]
    width, height = Image.open(tmp_path / "out" / "samples.png").size
    heading = pictures.LINE + pictures.GAP
    assert (width, height) == (2 * 16 + 5 * 112 + 4 * 6, 2 * 16 + heading + 4 * 112 + 3 * 6)
    assert Image.open(tmp_path / "out" / "reconstructions.png").size[1] == height  # two pairs of rows
    assert Image.open(tmp_path / "out" / "words.png").size[0] >= 2 * 16 + 4 * 112 + 3 * 6

    # The first bits are the top stripes, 6 rows of pixels: equal along each row of the sheet.
    sheet = np.asarray(Image.open(tmp_path / "out" / "m1_fixed.png"))[..., 0]
    top = 16 + heading
    left = sheet.shape[1] - 16 - 5 * 112 - 4 * 6
    columns = [slice(left + i * 118, left + i * 118 + 112) for i in range(5)]
    first_words = []
    for row in range(4):
        y = top + row * 118
        stripes = [sheet[y : y + 24, x] for x in columns]
        assert all(np.array_equal(stripes[0], other) for other in stripes[1:])
        first_words.append(stripes[0].tobytes())
        others = {sheet[y + 24 : y + 112, x].tobytes() for x in columns}
        assert len(others) <= 4
    assert len(set(first_words)) == 4  # different m1

    before = (tmp_path / "out" / "samples.png").stat().st_mtime_ns
    refused = run(*arguments, cwd=tmp_path)
    assert refused.returncode == 2 and refused.stderr.startswith("error: out already holds samples.png, ")
    assert (tmp_path / "out" / "samples.png").stat().st_mtime_ns == before
    assert run(*arguments, "--overwrite", cwd=tmp_path).returncode == 0


def test_without_the_data_set(folder, tmp_path):
    arguments = ("--saved_model", folder / "repetition", "--out", tmp_path / "out")
    missing = run(*arguments, cwd=tmp_path)
    assert missing.returncode == 2 and "absent.npz" in missing.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("*.png"))
    result = run(*arguments, "--noreconstructions", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [pathlib.Path(line).name for line in result.stdout.split()] == ["samples.png"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--out=x"], "expected exactly one of"),
        (["--out=x", "--saved_model=a", "--model=b"], "got --model and --saved_model"),
        (["--out=x", "--saved_model=missing"], "missing is not a folder"),
        (["--out=file", "--workdir=."], "file is a file; expected a folder"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert not list(tmp_path.rglob("*.png"))


def test_most_probable_words_of_dependent_bits(tmp_path):
    """The words of a random code by their joint probabilities, which the product of the marginals would misorder."""
    settings = config.from_dict(
        {
            "name": "random",
            "dataset": "mnist",
            "likelihood": "bernoulli",
            "beta": 15,
            "code": {"kind": "random", "information_bits": 3, "code_bits": 12},
            "network": {"image_shape": [28, 28, 1]},
            "objective": {"kind": "reinforce_loo", "samples": 2},
            "training": {"epochs": 1},
        }
    )
    evidence = np.random.default_rng(1).normal(0, 0.5, [2, 12]).astype(np.float32)
    joint = np.exp(evidence @ codes.RandomCode(3, 12).codebook.T)
    best = np.argsort(-joint, axis=1)[:, :4]
    asked = []

    class Codec:
        def encode(self, images):
            return {"bit_probabilities": tf.zeros([2, 3])}

        def code_logits(self, images):
            return {"logits": tf.constant(evidence)}

        def decode(self, bits, seed):
            asked.append(np.asarray(bits))
            return {"images": tf.zeros([len(bits), 28, 28, 1])}

    of_models.words(Codec(), settings, np.zeros([2, 28, 28, 1], np.uint8), tmp_path, rows=2, count=4, seed=0)
    np.testing.assert_array_equal(asked[0], all_words(3)[best].reshape(8, 3))
