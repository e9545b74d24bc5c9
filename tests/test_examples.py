"""The scripts of examples/, each with small settings."""

import gzip
import pathlib

import commands
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from examples import own_code
from tfcoded import codes
from tfcoded.codes.codebook import all_words

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(name="images", scope="module")
def _images(tmp_path_factory):
    """Sixty images of Fashion-MNIST, of which six are held out."""
    path = tmp_path_factory.mktemp("images") / "fashion.npy"
    with gzip.open(ROOT / "data/fashion_mnist/t10k-images-idx3-ubyte.gz") as file:
        np.save(path, np.frombuffer(file.read(16 + 60 * 784)[16:], np.uint8).reshape(60, 28, 28))
    return path


def run(name, tmp_path, *arguments):
    """What the script prints, and its picture."""
    done = commands.run(f"examples.{name}", f"--out={tmp_path / 'out.png'}", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        return done.stdout, np.asarray(picture.convert("L"))


def test_pretrained(tmp_path):
    text, picture = run("pretrained", tmp_path, "--count=3")
    words = [line.split()[0] for line in text.splitlines() if "uncertainty" in line]
    assert len(words) == 3 and all(len(word) == 8 and set(word) <= {"0", "1"} for word in words)
    assert picture.std() > 30


def test_noisy_channel(tmp_path, images):
    text, picture = run("noisy_channel", tmp_path, f"--dataset={images}", "--flips=0.2", "--count=6")
    # Without a code a word arrives with probability 0.168, with one with 0.997.
    wrong = {line.split(",")[0]: int(line.split()[-6].rstrip("%")) for line in text.splitlines() if "flipped" in line}
    assert wrong["uncoded_8"] >= 50 and wrong["coded_8_240"] <= 17
    assert picture.std() > 30


def test_own_code(tmp_path, images):
    flags = (f"--dataset={images}", "--repetitions=2", "--train_images=16", "--epochs=1")
    text, picture = run("own_code", tmp_path, *flags)
    assert "elbo" in text and picture.std() > 30


def test_the_code_of_the_example_is_one():
    code = own_code.RepeatedHamming(2)
    assert code.minimum_distance == 6
    words = all_words(4)
    codewords = code.encode(words).numpy()
    np.testing.assert_array_equal(codewords, code.codebook)
    received = np.where(codewords == 1, 1.0, -1.0)
    received[:, :2] *= -1  # both copies of one code bit are wrong
    np.testing.assert_array_equal(code.soft_decode(tf.constant(received)).numpy() > 0, words == 1)


def test_a_configuration_may_name_the_code_of_the_example():
    settings = codes.CodeSettings.read({"kind": "repeated_hamming", "repetitions": 3})
    assert settings.build().get_config() == {"repetitions": 3}
    assert (settings.branches, settings.branch_code_bits) == ((4,), (21,))


def test_marginals_of_the_code_of_the_example():
    code = own_code.RepeatedHamming(3)
    logits = tf.constant(np.random.default_rng(0).normal(size=[5, 4]), tf.float64)
    ones = tf.sigmoid(logits)[:, tf.newaxis]
    words = tf.constant(all_words(4), tf.float64)
    probabilities = tf.reduce_prod(tf.where(words == 1, ones, 1 - ones), axis=-1)
    expected = probabilities.numpy() @ code.codebook
    np.testing.assert_allclose(tf.sigmoid(code.soft_encode(logits)).numpy(), expected, rtol=1e-12)
