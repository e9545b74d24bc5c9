"""What the benchmarks refuse, and what some of them print or compare with."""

import re

import commands
import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from benchmarks.published_code import differences, here
from tfcoded import codes, models
from tfcoded.distributions import SmoothedBernoulli


@pytest.mark.parametrize(
    "module, argument, message",
    [
        ("saved_model", "--model=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system; expected a Coded-DVAE"),
        ("saved_model", "--model=coded_8_24", "unknown model 'coded_8_24'; did you mean 'coded_8_240'?"),
        ("objectives", "--models=", "--models= names none; expected configurations of Coded-DVAEs"),
        ("objectives", "--models=uncoded_8,bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
        ("objectives", "--models=uncoded_8,uncoded_9", "unknown model 'uncoded_9'"),
        ("objectives", "--one=bwlc_joint_snr1", "bwlc_joint_snr1 is a communication system"),
    ],
)
def test_bad_input_is_one_line(module, argument, message):
    done = commands.run(f"benchmarks.{module}", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("storage, restored", [("float32", 0), ("int8", 2)])
def test_calls_that_would_restore_the_kernels_are_slower(storage, restored):
    """Two kernels of 784 x 512 and 1,024 x 784 numbers are large enough to be rounded."""
    arguments = ("--model=coded_8_80", f"--storage={storage}", "--turns=3", "--batch_size=2")
    done = commands.run("benchmarks.saved_model", *arguments, prepare=tiny_networks.PREPARE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(re.findall(r"^(?:encode|decode): in memory", done.stdout, re.M)) == 2
    found = re.findall(r"restoring its kernels (\S+) ms; at every call, (\S+) times as long", done.stdout)
    assert len(found) == restored and all(float(time) > 0 and float(times) >= 1 for time, times in found)


def test_the_published_code_needs_pytorch_and_its_own_models(tmp_path):
    (tmp_path / "src" / "train").mkdir(parents=True)
    (tmp_path / "src" / "train" / "loss.py").write_text("")
    for code, model, message in (
        (tmp_path, "uncoded_8", "pip install torch"),
        (tmp_path, "bwlc_bec_cifar10", "no Coded-DVAE"),
        (tmp_path / "src", "uncoded_8", "does not hold src/train/loss.py; expected a clone of the published code"),
    ):
        flags = (f"--code={code}", f"--model=zoo/{model}")
        done = commands.run("benchmarks.published_code", *flags, prepare="import sys\nsys.modules['torch'] = None")
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


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
