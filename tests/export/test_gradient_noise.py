"""The benchmark that says where a gradient's noise comes from."""

import dataclasses
import re

import commands
import numpy as np
import small_models
from commands import ROOT

from benchmarks.gradient_noise import of_batch, variances, with_error
from export.savedmodel import export_saved_model


def test_variances_of_gradients_whose_variances_are_known():
    # Each of 20,000 weights adds a term of known variance. The relative error of w is sqrt(2 / (20,000 * 12 * 4)) =
    # 0.14%, that of b about sqrt(2 / (20,000 * 11)) times (b + w / 5) / b = 0.5%: the bounds are 6 of them away, and
    # the seed is fixed.
    rng = np.random.default_rng(0)
    signal = rng.normal(size=20_000)
    batches = []
    for _ in range(12):
        mean = signal + 0.5 * rng.normal(size=20_000)
        batches.append(of_batch([mean + 0.8 * rng.normal(size=20_000) for _ in range(5)]))
    within, between = variances(*zip(*batches), draws=5)
    assert within.shape == between.shape == (13,)
    np.testing.assert_allclose(within / 20_000, 0.64, rtol=0.0085)
    np.testing.assert_allclose(between / 20_000, 0.25, rtol=0.03)
    share, error = with_error(within / (within + between))
    assert abs(share - 0.64 / 0.89) < 0.01 and 0.0003 < error < 0.003


def test_leaving_a_batch_out_is_as_if_it_had_not_been_there():
    rng = np.random.default_rng(1)
    batches = [of_batch(list(rng.normal(size=[3, 7]))) for _ in range(4)]
    within, between = variances(*zip(*batches), draws=3)
    for left in range(4):
        others = variances(*zip(*(batches[k] for k in range(4) if k != left)), draws=3)
        np.testing.assert_allclose((within[1 + left], between[1 + left]), (others[0][0], others[1][0]))


def test_the_command(tmp_path):
    settings = small_models.configuration("repetition")
    images = small_models.images(settings, 400)
    np.savez(tmp_path / "images.npz", train=images, test=images[:10])
    settings = dataclasses.replace(settings, dataset=str(tmp_path / "images.npz"))
    export_saved_model(small_models.build(settings, contrast=True), settings, tmp_path / "model")
    arguments = (f"--model={tmp_path}/model", "--batches=3", "--draws=2")
    done = commands.run("benchmarks.gradient_noise", *arguments, check=True)
    assert f"{settings.name}, 3 batches of 128, 2 draws each" in done.stdout
    for part in ("encoder", "decoder"):
        found = re.search(rf"\| {part} \| (\S+) ± \S+ \| (\S+) ± \S+ \|", done.stdout)
        share = float(found[1])
        assert 0 <= share <= 1 and abs(float(found[2]) - (1 - 0.9 * share) ** -0.5) < 0.02
    for given, error in ((tmp_path, "holds no SavedModel"), (ROOT / "zoo" / "bwlc_bec_cifar10", "is no Coded-DVAE")):
        done = commands.run("benchmarks.gradient_noise", f"--model={given}")
        assert done.returncode == 2 and error in done.stderr and "Traceback" not in done.stderr
