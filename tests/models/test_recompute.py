import json
import pathlib
import subprocess
import sys

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcoded.models.recompute import in_parts

ROOT = pathlib.Path(__file__).resolve().parents[2]


def problem(dtype="float64"):
    layer = keras.layers.Dense(5, activation="tanh", dtype=dtype)
    layer.build([None, 3])
    samples = tf.constant(np.random.default_rng(0).normal(size=[6, 4, 3]), dtype)

    def function(samples):
        return tf.reduce_sum(layer(samples) ** 2, axis=-1)

    return layer, samples, function


def value_and_gradients(largest, dtype="float64"):
    layer, samples, function = problem(dtype)
    layer.kernel.assign(np.linspace(-1, 1, 15).reshape(3, 5))
    weights = tf.constant(np.arange(24.0).reshape(6, 4), dtype)

    def compute(samples):
        with tf.GradientTape() as tape:
            tape.watch(samples)
            values = in_parts(function, samples, layer.trainable_variables, largest)
            total = tf.reduce_sum(weights * values)
        return values, tape.gradient(total, [samples, *layer.trainable_variables])

    return compute, samples


@pytest.mark.parametrize("largest", [1, 2, 4, 5, 100])
def test_same_values_and_gradients(largest):
    whole, samples = value_and_gradients(6)
    parts, _ = value_and_gradients(largest)
    for expected, value in zip(tf.nest.flatten(whole(samples)), tf.nest.flatten(parts(samples)), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize("xla", [False, True])
def test_in_graphs_of_unknown_batch_size(xla):
    whole, samples = value_and_gradients(6)
    parts, _ = value_and_gradients(2)
    spec = tf.TensorSpec([6, 4 if xla else None, 3], tf.float64)
    graph = tf.function(parts, jit_compile=xla, input_signature=[spec], autograph=False)
    for expected, value in zip(tf.nest.flatten(whole(samples)), tf.nest.flatten(graph(samples)), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_a_replica_without_images():
    """Where a last batch has fewer images than there are replicas, some get none."""
    layer, samples, function = problem()
    with tf.GradientTape() as tape:
        tape.watch(samples)
        empty = samples[:, :0]
        values = in_parts(function, empty, layer.trainable_variables, 2)
        total = tf.reduce_sum(values)
    assert values.shape == (6, 0)
    gradients = tape.gradient(total, [empty, *layer.trainable_variables])
    assert gradients[0].shape == (6, 0, 3)
    assert all((gradient.numpy() == 0).all() for gradient in gradients)


def test_mixed_precision():
    whole, samples = value_and_gradients(6, "float32")
    _, *exact = tf.nest.flatten(whole(samples))
    layer, _, _ = problem()
    mixed = keras.layers.Dense(5, activation="tanh", dtype="mixed_bfloat16")
    mixed.build([None, 3])
    mixed.kernel.assign(np.linspace(-1, 1, 15).reshape(3, 5))
    results = {}
    for largest in (6, 2):
        with tf.GradientTape() as tape:
            values = in_parts(
                lambda part: tf.reduce_sum(tf.cast(mixed(part), tf.float32) ** 2, axis=-1),
                samples,
                mixed.trainable_variables,
                largest,
            )
        results[largest] = tape.gradient(values, mixed.trainable_variables)
    for expected, value in zip(results[6], results[2], strict=True):
        assert value.dtype == tf.float32
        np.testing.assert_allclose(value, expected, rtol=3e-2, atol=3e-2)


MEMORY = """
import sys
import keras, tensorflow as tf
from tfcoded.models.recompute import in_parts

layer = keras.layers.Dense(64, activation="tanh")
layer.build([None, 64])
samples = tf.ones([64, 1, 64])

def function(part):  # 8 MB of activations per sample and layer
    wide = tf.broadcast_to(part[:, :, tf.newaxis], [part.shape[0], 1, 32768, 64])
    return tf.reduce_sum(layer(layer(wide)), axis=[2, 3])

@tf.function(autograph=False)
def step(samples):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(in_parts(function, samples, layer.trainable_variables, int(sys.argv[1])))
    return tape.gradient(loss, layer.trainable_variables)

def peak():  # in MB; getrusage would begin with that of the parent process
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024

step.get_concrete_function(samples)
before = peak()
step(samples)
print(peak() - before)
"""


def test_memory_is_that_of_one_part():
    """64 samples of 8 MB and several copies: all at once need above 1 GB, four at a time a fraction of it."""
    peaks = {}
    for largest in (64, 4):
        run = commands.run_code(MEMORY, largest, check=True)
        peaks[largest] = float(run.stdout.split()[-1])
    assert peaks[64] > 1000
    assert peaks[4] < peaks[64] / 5


@pytest.mark.slow
def test_a_hundred_samples_of_the_published_networks_fit_into_the_memory_of_ten():
    """A step of uncoded_8_iwae_100 at batch 128, in float32: the peak of the whole process, measured 8.05 GB.

    All at once, the activations alone would take ten times as much.
    """
    command = [sys.executable, "-m", "benchmarks.objectives", "--one=uncoded_8_iwae_100", "--steps=1"]
    done = subprocess.run([*command, "--dtype_policy=float32"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 5e9 < json.loads(done.stdout.splitlines()[-1])["bytes"] < 12e9
