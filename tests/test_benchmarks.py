"""What the benchmarks refuse, and what some of them print or compare with."""

import pathlib
import re

import commands
import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from benchmarks import overfitting
from benchmarks.equation_5 import printed_quantile
from benchmarks.published_code import differences, here
from tfcoded import codes, models
from tfcoded.distributions import SmoothedBernoulli
from tfcoded.runs import workdir
from tfcoded.training import loop


@pytest.mark.parametrize(
    "module, argument, message",
    [
        ("saved_model", "--model=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system; expected a Coded-DVAE"),
        ("saved_model", "--model=coded_8_24", "unknown model 'coded_8_24'; did you mean 'coded_8_240'?"),
        ("objectives", "--models=", "--models= names none; expected configurations of Coded-DVAEs"),
        ("objectives", "--models=uncoded_8,bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
        ("objectives", "--models=uncoded_8,uncoded_9", "unknown model 'uncoded_9'"),
        ("objectives", "--one=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
        ("equation_5", "--epochs=15", "expected --model=NAME (python -m tfcoded.zoo lists them) or --config=FILE"),
        ("equation_5", "--model=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system; expected a Coded-DVAE"),
        ("equation_5", "--model=random_8_80", "random_8_80 has no history in the zoo to compare with"),
    ],
)
def test_bad_input_is_one_line(module, argument, message):
    done = commands.run(f"benchmarks.{module}", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and message in done.stderr and done.stderr.count("\n") == 1


def _mean_and_slope(quantile, logit, dtype):
    rho = tf.random.stateless_uniform([200_000], [1, 2], 2.0**-24, 1 - 2.0**-24, dtype)
    logits = tf.fill(rho.shape, tf.constant(logit, dtype))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        z = quantile(logits, rho)
    return z.numpy(), tape.gradient(z, logits).numpy()


def printed(logits, rho):
    return printed_quantile(logits, rho, tf.constant(15, logits.dtype))


def accurate(logits, rho):
    return SmoothedBernoulli(logits, 15.0).quantile(rho)


@pytest.mark.parametrize("logit", [-6.0, -1.0, 0.5, 6.0])
def test_equation_5_is_right_in_float64(logit):
    (z, slope), (expected, expected_slope) = (_mean_and_slope(f, logit, tf.float64) for f in (printed, accurate))
    np.testing.assert_allclose(z, expected, atol=1e-7)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-5, atol=1e-7)


def test_equation_5_cancels_in_float32():
    """At logit 6 the accurate mean slope is 0.0021; of 200,000 draws the ratio of the means is known to 4%."""
    (z, slope), (expected, expected_slope) = (_mean_and_slope(f, 6.0, tf.float32) for f in (printed, accurate))
    capped = slope == 0
    assert 0.7 < capped.mean() < 0.82 and np.abs(z[capped] - np.log(2e6) / 15).max() < 1e-6
    assert 1.9 < slope.mean() / expected_slope.mean() < 3.0
    assert abs(z.mean() - expected.mean()) < 0.004


def test_a_training_with_equation_5_begins_with_given_weights_and_learns_otherwise(tmp_path, monkeypatch):
    tiny_networks.replace_networks(monkeypatch)
    config = tiny_networks.settings(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny_networks.CONFIG.format(dataset=tmp_path / "images.npz"))
    loop.train(config, tmp_path / "first")
    weights = str(tmp_path / "first" / "checkpoints" / "epoch-3")
    accurate = loop.train(config, tmp_path / "accurate", seed=1, initial_weights=weights).history
    flags = ("--config", tmp_path / "tiny.yaml", "--workdir", tmp_path / "printed", "--seed=1")
    initial = ("--initial_weights", weights)
    done = commands.run("benchmarks.equation_5", *flags, *initial, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "equation 5 as printed | accurate" in done.stdout and done.stdout.count("|          -") == 3 * 4
    printed = workdir.read_history(tmp_path / "printed")
    assert printed["epoch"] == accurate["epoch"] == [1, 2, 3]
    assert printed["reconstruction"] != accurate["reconstruction"]
    np.testing.assert_allclose(printed["reconstruction"], accurate["reconstruction"], rtol=0.01)


@pytest.mark.parametrize("storage, restored", [("float32", 0), ("int8", 2)])
def test_calls_that_would_restore_the_kernels_are_slower(storage, restored):
    """Two kernels of 784 x 512 and 1,024 x 784 numbers are large enough to be rounded."""
    arguments = ("--model=coded_8_80", f"--storage={storage}", "--turns=3", "--batch_size=2")
    done = commands.run("benchmarks.saved_model", *arguments, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(re.findall(r"^(?:encode|decode): in memory", done.stdout, re.M)) == 2
    found = re.findall(r"restoring its kernels (\S+) ms; at every call, (\S+) times as long", done.stdout)
    assert len(found) == restored and all(float(time) > 0 and float(times) >= 1 for time, times in found)


def test_the_table_of_overfitting_is_in_the_text():
    root = pathlib.Path(__file__).resolve().parents[1]
    assert overfitting.table() in (root / "experiments" / "published.md").read_text()


def test_extrapolations_of_what_they_assume_are_exact():
    line = [0.5 + 0.02 * epoch for epoch in range(1, 121)]
    assert overfitting.around(line, 40) == pytest.approx(0.5 + 0.02 * 40)
    epoch = overfitting.equal_epoch(line, 3.0)
    assert 0.5 + 0.02 * epoch == pytest.approx(3 * (0.5 + 0.02 * 118))
    falling = [9.0 if epoch < 40 else 5 - 0.2 * np.log(epoch) for epoch in range(1, 121)]
    assert overfitting.by_logarithm(falling, 500) == pytest.approx(5 - 0.2 * np.log(500))


@pytest.mark.parametrize("module", ["published_code", "published_training"])
def test_the_published_code_needs_pytorch_and_its_own_models(tmp_path, module):
    (tmp_path / "src" / "train").mkdir(parents=True)
    (tmp_path / "src" / "train" / "loss.py").write_text("")
    more = [f"--out={tmp_path / 'out'}"] if module == "published_training" else []
    for code, model, message in (
        (tmp_path, "uncoded_8", "pip install torch"),
        (tmp_path, "bwlc_bec_cifar10", "no Coded-DVAE"),
        (tmp_path / "src", "uncoded_8", "does not hold src/train/loss.py; expected a clone of the published code"),
    ):
        flags = (f"--code={code}", f"--model=zoo/{model}", *more)
        done = commands.run(f"benchmarks.{module}", *flags, prepare="import sys\nsys.modules['torch'] = None")
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_training_with_the_published_code_keeps_what_is_there(tmp_path):
    done = commands.run("benchmarks.published_training", "--code=nothing", f"--out={tmp_path}")
    assert done.returncode == 2 and f"--out {tmp_path} exists; choose another folder" in done.stderr


def test_what_is_compared_with_the_published_code(monkeypatch):
    """Loss and gradient are those of training, and the noise they come from is the one that is told."""
    tiny_networks.replace_networks(monkeypatch)
    model = models.CodedDVAE(codes.Repetition(2, 6), (28, 28, 1), encoder_width=4, decoder_width=4)
    images = np.random.default_rng(0).integers(0, 256, [3, 28, 28, 1], np.uint8)
    loss, gradient, rho = here(model, images)
    logits = model.code.soft_encode(model.information_logits(images))
    z = SmoothedBernoulli(logits, 15.0).quantile(tf.constant(rho))
    terms = model.bound_terms(model.log_likelihood(images, z), model.posterior(images))
    assert abs(loss + np.mean(terms["elbo"])) < 1e-3
    other = [part.copy() for part in gradient]
    variables = model.trainable_variables
    assert differences(gradient, other, variables) == [0.0, 0.0]
    for index, variable in enumerate(variables):
        other[index] *= 1.25 if "encoder" in variable.path else 1.0
    np.testing.assert_allclose(differences(gradient, other, variables), [0.2, 0.0], rtol=1e-6)
