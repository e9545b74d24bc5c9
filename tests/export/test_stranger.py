"""SavedModels in a process that has TensorFlow and not this package."""

import os
import subprocess
import sys

import numpy as np
import pytest
import small_models
import tensorflow as tf

from tfcoded import config

SEED = tf.constant([3, 4])
# How many images are sent as bytes and as floats. TensorFlow prepares a loaded function anew for every number.
COUNTS = {"uint8": (7, 1), "float": (7, 0)}

# Runs in a process that never imports this package.
STRANGER = (
    f"""
counts = {COUNTS}
"""
    + """
import sys
import numpy as np
import tensorflow as tf
seed, results = tf.constant([3, 4]), {}
for line in open("models.txt").read().split():
    name, folder = line.split("=")
    model = tf.saved_model.load(folder)
    x = np.load(name + ".npy")
    y = (x / 255).astype(np.float32)
    bits = model.encode(x)["bits"]
    z = np.full([7, model.code_logits(x)["logits"].shape[1]], 0.25, np.float32)
    calls = {"configuration": {"yaml": model.configuration()}, "generate": model.generate(7, seed)}
    for count in (7, 1, 0):
        calls[f"decode{count}"] = model.decode(bits[:count], seed)
        for kind, images in (("uint8", x[:count]), ("float", y[:count])):
            if count not in counts[kind]:
                continue
            calls[f"encode_{kind}{count}"] = model.encode(images)
            calls[f"reconstruct_{kind}{count}"] = model.reconstruct(tf.constant(images), seed)
            calls[f"elbo_{kind}{count}"] = model.elbo(images=images, seed=seed)
            calls[f"code_logits_{kind}{count}"] = model.code_logits(images)
            calls[f"draw_{kind}{count}"] = model.draw(images, seed)
            calls[f"log_likelihood_{kind}{count}"] = model.log_likelihood(images, z[:count])
            calls[f"log_likelihoods_{kind}{count}"] = model.log_likelihoods(images, z)
    calls["list"] = model.encode(x[:1].tolist())
    calls["other"] = model.reconstruct(x, tf.constant([3, 5]))
    for signature, function in model.signatures.items():
        images = y if signature.endswith("_float") else x
        given = {"images": images, "seed": seed, "bits": bits, "n": tf.constant(7), "z": z}
        names = function.structured_input_signature[1]
        calls["signature_" + signature] = function(**{key: tf.constant(given[key]) for key in names})
    for call, outputs in calls.items():
        results |= {f"{name}/{call}/{key}": value.numpy() for key, value in outputs.items()}
found = [name for name in ("tfcoded", "export", "tensorflow_probability") if name in sys.modules]
assert not found, found
np.savez("results.npz", **results)
"""
)


@pytest.fixture(scope="module")
def stranger(exported, tmp_path_factory):
    """What the process that never imports this package got: name -> array."""
    folder = tmp_path_factory.mktemp("stranger")
    for name, (settings, _, _) in exported.items():
        np.save(folder / f"{name}.npy", small_models.images(settings, 7))
    (folder / "models.txt").write_text(" ".join(f"{name}={case[2]}" for name, case in exported.items()))
    command = [sys.executable, "-c", STRANGER]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(folder / "results.npz")


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", small_models.CODES)
def test_a_stranger_gets_what_the_keras_model_gives(name, exported, stranger):
    settings, model, _ = exported[name]
    x = small_models.images(settings, 7)
    logits = model.information_logits(x)
    bits = model.posterior(x).most_probable()
    for kind, counts in COUNTS.items():
        for count in filter(None, counts):
            call = f"{name}/encode_{kind}{count}"
            close(stranger[f"{call}/bit_probabilities"], tf.sigmoid(logits)[:count])
            np.testing.assert_array_equal(stranger[f"{call}/bits"], bits[:count])
            images = model.decode(model.sample(x[:count], SEED))
            close(stranger[f"{name}/reconstruct_{kind}{count}/images"], images)
            for key, value in model.evidence(x[:count], SEED).items():
                close(stranger[f"{name}/elbo_{kind}{count}/{key}"], value)
    for count in (1, 7):
        close(stranger[f"{name}/decode{count}/images"], model.decode(model.modulate(bits[:count], SEED)))
    other_seed = stranger[f"{name}/other/images"]
    assert np.abs(other_seed - stranger[f"{name}/reconstruct_uint87/images"]).max() > 1e-6


@pytest.mark.parametrize("name", small_models.CODES)
def test_a_stranger_may_send_nothing(name, exported, stranger):
    settings = exported[name][0]
    shape, m = settings.network.image_shape, settings.information_bits
    assert stranger[f"{name}/encode_float0/bits"].shape == (0, m)
    assert stranger[f"{name}/encode_float0/word_probability"].shape == (0,)
    assert stranger[f"{name}/reconstruct_float0/images"].shape == (0, *shape)
    assert stranger[f"{name}/elbo_float0/kl_branches"].shape == (0, len(settings.code.information_bits))
    assert stranger[f"{name}/decode0/images"].shape == (0, *shape)


@pytest.mark.parametrize("name", small_models.CODES)
def test_signatures_are_the_methods(name, stranger):
    same = {"serving_default": "encode_uint87", "decode": "decode7", "generate": "generate"}
    for method in ("encode", "code_logits", "draw", "reconstruct", "elbo", "log_likelihood", "log_likelihoods"):
        same |= {method: f"{method}_uint87", f"{method}_float": f"{method}_float7"}
    found = {key.split("/")[1].removeprefix("signature_") for key in stranger if f"{name}/signature_" in key}
    assert found == same.keys()
    for signature, call in same.items():
        keys = [key for key in stranger if key.startswith(f"{name}/{call}/")]
        assert keys
        for key in keys:
            close(stranger[key.replace(f"/{call}/", f"/signature_{signature}/")], stranger[key])


def test_a_nested_list_of_bytes_is_not_taken_for_floats(stranger):
    expected = stranger["repetition/encode_uint81/bit_probabilities"]
    close(stranger["repetition/list/bit_probabilities"], expected)


@pytest.mark.parametrize("name", small_models.CODES)
def test_the_configuration_travels_with_the_model(name, exported, stranger):
    text = stranger[f"{name}/configuration/yaml"].item().decode()
    assert config.from_yaml(text) == exported[name][0]


def test_the_loaded_model_is_differentiable(exported):
    settings, model, folder = exported["hierarchical"]
    loaded = tf.saved_model.load(str(folder))
    x = tf.constant(small_models.images(settings, 2) / np.float32(255))
    gradients = []
    for function in (lambda: loaded.elbo(x, SEED), lambda: model.evidence(x, SEED)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            bound = function()["elbo"]
        gradients.append(tape.gradient(bound, x).numpy())
    assert np.abs(gradients[1]).max() > 1e-3
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-4)
