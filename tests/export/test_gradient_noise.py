"""The benchmark that says where a gradient's noise comes from."""

import re

import commands
import numpy as np
import pytest
import small_models
import tiny_networks

from benchmarks.gradient_noise import moments, of_batch, with_error


def test_moments_of_gradients_whose_moments_are_known():
    # Each of 20,000 weights adds a term of known variance. The relative error of w is sqrt(2 / (20,000 * 12 * 4)) =
    # 0.14%, that of b about sqrt(2 / (20,000 * 11)) times (b + w / 5) / b = 0.5%: the bounds are 6 of them away, and
    # the seed is fixed. The squared mean is that of this very signal; what noise adds to it has a standard error of
    # 2 sqrt(20,000 (0.25 + 0.64 / 5) / 12) = 50, or 0.25%.
    rng = np.random.default_rng(0)
    signal = rng.normal(size=20_000)
    batches = []
    for _ in range(12):
        mean = signal + 0.5 * rng.normal(size=20_000)
        batches.append(of_batch([mean + 0.8 * rng.normal(size=20_000) for _ in range(5)]))
    within, between, square = moments(*zip(*batches), draws=5)
    assert within.shape == between.shape == square.shape == (13,)
    np.testing.assert_allclose(within / 20_000, 0.64, rtol=0.0085)
    np.testing.assert_allclose(between / 20_000, 0.25, rtol=0.03)
    np.testing.assert_allclose(square, signal @ signal, rtol=0.015)
    share, error = with_error(within / (within + between))
    assert abs(share - 0.64 / 0.89) < 0.01 and 0.0003 < error < 0.003


def test_leaving_a_batch_out_is_as_if_it_had_not_been_there():
    rng = np.random.default_rng(1)
    batches = [of_batch(list(rng.normal(size=[3, 7]))) for _ in range(4)]
    found = moments(*zip(*batches), draws=3)
    for left in range(4):
        others = moments(*zip(*(batches[k] for k in range(4) if k != left)), draws=3)
        np.testing.assert_allclose(found[:, 1 + left], others[:, 0])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of two SavedModels, `repetition` and `random`, of 400 images."""
    folder = tmp_path_factory.mktemp("models")
    images = small_models.images(small_models.configuration("repetition"), 400)
    np.savez(folder / "images.npz", train=images, test=images[:10])
    for name in ("repetition", "random"):
        small_models.save(name, folder, dataset=str(folder / "images.npz"))
    return folder


def run(*arguments):
    return commands.run("benchmarks.gradient_noise", *arguments, prepare=tiny_networks.PREPARE)


def test_the_command(models):
    arguments = (f"--model={models}/repetition", "--batches=3", "--draws=2")
    done = run(*arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "repetition, 3 batches of 128, 2 draws each" in done.stdout
    for part in ("encoder", "decoder"):
        found = re.search(rf"\| {part} \| (\S+) ± \S+ \| (\S+) ± \S+ \|", done.stdout)
        share = float(found[1])
        # The squared mean, which ten samples leave as it is, makes the ratio smaller than that of the variances.
        assert 0 <= share <= 1 <= float(found[2]) < (1 - 0.9 * share) ** -0.5 + 0.02


@pytest.mark.parametrize(
    "flags, error",
    [
        (["--model=zoo"], "--model zoo holds no SavedModel"),
        (["--model=zoo/bwlc_bec_cifar10"], "is no Coded-DVAE"),
        (["--model={}/random"], "was not trained with the ELBO from one sample"),
        (["--model={}/repetition", "--batches=4"], "has 400 images, batches have 128"),
    ],
)
def test_what_is_refused(flags, error, models):
    done = run(*(flag.format(models) for flag in flags))
    assert done.returncode == 2 and error in done.stderr and "Traceback" not in done.stderr
