"""The benchmark that reconstructs from the branches' own claims, as the published evaluation does."""

import re

import commands
import numpy as np
import pytest
import small_models
import tensorflow as tf
import tiny_networks

from benchmarks.branch_evidence import BranchEvidence, branch_evidence
from tfcoded import codes
from tfcoded.models.posteriors import BitPosterior

CODE = codes.Hierarchical((2, 2), (4, 6))


def test_a_branch_s_evidence_is_the_sum_over_its_copies():
    logits = np.random.default_rng(0).normal(size=[5, 10]).astype(np.float32)
    alone = branch_evidence(CODE, logits).logits.numpy()
    sums = [logits[:, 0:2], logits[:, 2:4], logits[:, 4:7], logits[:, 7:10]]
    np.testing.assert_allclose(alone, np.stack([copies.sum(axis=1) for copies in sums], axis=1), rtol=1e-5)
    again = BitPosterior(CODE, logits).logits.numpy()
    np.testing.assert_array_equal(alone[:, :2], again[:, :2])  # the first branch knows of no other
    assert np.abs(alone[:, 2:] - again[:, 2:]).min() > 0.01


def test_where_the_first_branch_is_sure_nothing_is_lost_by_encoding_again():
    logits = np.random.default_rng(1).normal(size=[5, 10]).astype(np.float32)
    logits[:, :4] = [60, 60, -60, -60]  # the first bit is 1 and the second 0, in every copy
    alone = branch_evidence(CODE, logits).latents(15.0, [1, 2]).numpy()
    np.testing.assert_allclose(alone, BitPosterior(CODE, logits).latents(15.0, [1, 2]).numpy(), atol=1e-5)


class Model:
    """A model of ten pixels, whose code logits are the image and whose image is z."""

    code, beta = CODE, 15.0

    def code_logits(self, images):
        return images

    def decode(self, z):
        return z


def test_only_the_reconstruction_is_another():
    class Codec:
        def encode(self, images):
            return "encoded"

        def elbo(self, images, seed):
            return "bound"

    alone = BranchEvidence(Codec(), Model())
    assert (alone.encode(None), alone.elbo(None, None)) == ("encoded", "bound")
    logits = tf.random.stateless_normal([3, 10], [1, 2])
    expected = branch_evidence(CODE, logits).latents(15.0, [3, 4])
    np.testing.assert_allclose(alone.reconstruct(logits, tf.constant([3, 4]))["images"], expected, atol=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two SavedModels, `hierarchical`, of twenty images, and `repetition`."""
    folder = tmp_path_factory.mktemp("models")
    images = small_models.images(small_models.configuration("hierarchical"), 20)
    np.savez(folder / "images.npz", train=images, test=images)
    small_models.save("hierarchical", folder, dataset=str(folder / "images.npz"))
    small_models.save("repetition", folder)
    return folder


def test_the_command(folder):
    done = commands.run("benchmarks.branch_evidence", f"--model={folder}/hierarchical", "--images=16")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "hierarchical, 16 test images" in done.stdout
    assert "| code bits of a branch | psnr | ssim |" in done.stdout
    rows = dict(re.findall(r"^\| (encoded again|from its own evidence|difference) \| (.*) \|$", done.stdout, re.M))
    again, alone, difference = (
        np.array([float(cell.split(" ± ")[0]) for cell in cells.split(" | ")]) for cells in rows.values()
    )
    np.testing.assert_allclose(alone - again, difference, atol=2e-4)  # each is printed to 1e-4
    assert difference.any()


@pytest.mark.parametrize(
    "model, error",
    [
        ("zoo", "--model zoo holds no SavedModel"),
        ("{}/repetition", "has no hierarchical code, whose branches could know of each other"),
    ],
)
def test_what_is_refused(model, error, folder):
    done = commands.run("benchmarks.branch_evidence", f"--model={model.format(folder)}", prepare=tiny_networks.PREPARE)
    assert done.returncode == 2 and error in done.stderr and "Traceback" not in done.stderr
