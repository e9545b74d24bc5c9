"""Malformed requests: each is refused by the name of its input, by TensorFlow's C++ loader and by Python's signatures."""

import c_api
import numpy as np
import pytest
import small_models
import small_systems
import tensorflow as tf

from tfcoded.config import MOST_GENERATED
from tfcoded.networks.classifier import Classifier
from tfcoded.zoo.saving import export_saved_model, save

NAMES = ("repetition", "bands", "separate", "erasing", "channel", "classifier")


@pytest.fixture(scope="module", params=NAMES)
def served(request, exported, systems, tmp_path_factory):
    """(the model loaded by Python, a `Server` of it, good inputs of all signatures by name and type)."""
    name, rng = request.param, np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("served")
    seed = np.array([3, -4], np.int32)
    if name == "repetition":
        settings, _, saved = exported[name]
        x = small_models.images(settings, 2)
        good = {"images": x, "z": rng.random([2, settings.code_bits]), "bits": rng.integers(0, 2, [2, 5]), "n": 2}
    elif name == "classifier":
        classifier = Classifier(filters=(2, 3))
        classifier(np.ones([2, 12, 12, 1], np.float32), training=True)
        saved = save(classifier.folded((12, 12, 1)), folder)
        good = {"images": rng.integers(0, 256, [2, 12, 12, 1])}
    else:
        settings = small_systems.configuration(name)
        if name in systems:
            saved = systems[name][-1]
        else:
            saved = export_saved_model(small_systems.build(settings), settings, folder)
        x = small_systems.images(settings, 2)
        good = {"images": x, "symbols": rng.integers(0, 2, [2, small_systems.SYMBOLS]), "bands": 1}
    server = c_api.Server(saved)
    yield tf.saved_model.load(str(saved)), server, {**good, "seed": seed}
    server.close()


def inputs_of(function, good):
    """Good inputs of a signature, arrays of its types."""
    specs = function.structured_input_signature[1]
    given = {}
    for name, spec in specs.items():
        value = np.asarray(good[name])
        if name == "images" and spec.dtype == tf.float32 and value.dtype != np.float32:
            value = value / 255
        given[name] = value.astype(spec.dtype.as_numpy_dtype)
    return given


def wrong_shapes(value):
    """Arrays of other shapes than an input; where there are rows their number may be any and is left as it is."""
    yield np.zeros([3], value.dtype) if value.ndim != 1 else np.zeros([], value.dtype)
    yield value[np.newaxis]
    if value.ndim == 1:
        yield value[:1]
        yield np.resize(value, 3)
        yield value[:0]
    elif value.ndim > 1:
        yield value.reshape(-1)
        yield value[0]
        for axis in range(1, value.ndim):
            yield np.concatenate([value, value], axis)
            yield np.take(value, [], axis).astype(value.dtype)


def wrong_values(name, value, numbers):
    """Arrays of the shape of an input with a value that is refused."""
    if name == "bands":
        outside = (-1, 6)
    elif name == "n":
        outside = (-1, MOST_GENERATED + 1, 10**6, 2**31 - 1)
    elif name == "bits":
        outside = (-1, 2)
    elif name == "seed" or value.dtype == np.uint8:
        outside = ()
    else:
        outside = (np.nan, np.inf, -np.inf, 1e30, -1e30)
        outside += () if numbers else (-1e-3, 1.001, 255)
    for number in outside:
        changed = value.copy()
        changed[(-1,) * value.ndim] = number
        yield changed


def malformed(function, good, numbers):
    """(name of the wrong input, all inputs) of every malformed request of a signature."""
    inputs = inputs_of(function, good)
    for name, value in inputs.items():
        for wrong in (*wrong_shapes(value), *wrong_values(name, value, numbers)):
            yield name, {**inputs, name: wrong}


def numbers_allowed(model, name):
    """Whether an input of floats may be any number."""
    gaussian = hasattr(model, "corrupt") and b"kind: gaussian" in model.configuration().numpy()
    return gaussian and (name == "symbols" or b"channel_autoencoder" in model.configuration().numpy())


def test_malformed_requests_are_refused_by_the_name_of_the_input(served):
    model, server, good = served
    tried = 0
    for signature, function in model.signatures.items():
        for name, inputs in malformed(function, good, False):
            value = inputs[name]
            finite = value.dtype.kind == "f" and np.isfinite(value).all() and np.abs(value).max(initial=0) < 1e6
            if finite and value.shape == inputs_of(function, good)[name].shape and numbers_allowed(model, name):
                continue  # a number like any other
            what = f"{signature}({name}: {value.dtype} {value.shape})"
            with pytest.raises(c_api.Refused, match=name) as refused:
                server.predict(signature, **inputs)
            assert refused.value.code == c_api.INVALID_ARGUMENT, what
            with pytest.raises(tf.errors.InvalidArgumentError, match=name):
                function(**{key: tf.constant(array) for key, array in inputs.items()})
            tried += 1
        answers = server.predict(signature, **inputs_of(function, good))
        assert all(np.isfinite(value).all() for value in answers.values()), signature
    assert tried > 20


def test_rows_of_z_and_images_belong_together(exported):
    settings, _, folder = exported["repetition"]
    server = c_api.Server(folder)
    x, z = small_models.images(settings, 3), np.full([1, settings.code_bits], 0.5)
    assert server.predict("log_likelihoods", images=x, z=z)["log_likelihood"].shape == (3, 1)
    with pytest.raises(c_api.Refused, match="z must have a row for each of images, got"):
        server.predict("log_likelihood", images=x, z=z)
    server.close()


def test_empty_requests_have_empty_answers(served):
    model, server, good = served
    for signature, function in model.signatures.items():
        full = server.predict(signature, **inputs_of(function, good))
        empty = {
            name: np.zeros([], np.int32) if name == "n" else value[:0] if name not in ("seed", "bands") else value
            for name, value in inputs_of(function, good).items()
        }
        answers = server.predict(signature, **empty)
        assert answers.keys() == full.keys()
        rows = (0, 0) if signature.startswith("log_likelihoods") else (0,)
        for name, value in answers.items():
            assert value.shape == rows + full[name].shape[len(rows) :], (signature, name)


def test_answers_to_the_largest_symbols_are_numbers(systems):
    for name in ("bands", "separate"):
        model = systems[name][-2]
        for size in (1e6, -1e6):
            symbols = np.full([2, small_systems.SYMBOLS], size, np.float32)
            for bands in (0, small_systems.BANDS if name == "bands" else 1):
                assert np.isfinite(model.receive(symbols, bands, [1, 2])["images"]).all()
            assert np.isfinite(model.corrupt(symbols, [1, 2])["symbols"]).all()
