"""tfcoded.load: shipped models as Python users call them."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfcoded
from tfcoded import zoo
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(name="model", scope="module")
def _model():
    return tfcoded.load("uncoded_5")


@pytest.fixture(name="system", scope="module")
def _system():
    return tfcoded.load("bwlc_bec_cifar10")


@pytest.fixture(name="images", scope="module")
def _images():
    return np.random.default_rng(0).integers(0, 256, [3, 28, 28, 1]).astype(np.uint8)


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])


def test_images_of_any_type(model, images):
    expected = model.saved_model.encode(images)
    for given in (images, images.astype(np.int64), images.astype(np.uint16), images.tolist(), tf.constant(images)):
        same(model.encode(given), expected)
    same(model.encode(images=tf.cast(images, tf.int32)), expected)
    unit = (images / 255).astype(np.float32)
    expected = model.saved_model.encode(unit)
    for given in (unit, unit.astype(np.float64), unit.tolist(), tf.constant(unit, tf.float64), tf.Variable(unit)):
        same(model.encode(given), expected)
    assert model.encode(unit.astype(np.float16))["bits"].shape == [3, 5]
    binary = images > 127
    same(model.encode(binary), model.saved_model.encode(binary.astype(np.float32)))  # white is 1, not 1 of 255


def test_seeds_bits_and_numbers_of_any_type(model, system):
    expected = model.saved_model.generate(3, [1, 2])
    for n in (3, np.int64(3), np.uint8(3), np.array(3.0), tf.constant(3)):
        for seed in ([1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0]), tf.constant([1, 2], tf.int64)):
            same(model.generate(n, seed=seed), expected)
    bits = expected["bits"].numpy()
    for given in (bits, bits.astype(bool), bits.astype(np.uint8), bits.astype(np.float64), bits.tolist()):
        same(model.decode(given, [1, 2]), model.saved_model.decode(bits, [1, 2]))
    symbols = np.random.default_rng(0).integers(0, 2, [2, 100])
    expected = system.saved_model.receive(tf.constant(symbols, tf.float32), 1, [1, 2])
    same(system.receive(symbols, 1, np.array([1, 2])), expected)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.encode(np.zeros([28, 28, 1])), "encode: images is float64 [28, 28, 1]; expected IMAGES"),
        (lambda m: m.encode(np.zeros([1, 28, 29, 1])), "encode: images is float64 [1, 28, 29, 1]; expected IMAGES"),
        (lambda m: m.encode(3), "encode: images is one int64; expected IMAGES"),
        (lambda m: m.encode(None), "encode: images is no array of numbers; expected IMAGES"),
        (lambda m: m.encode("image.png"), "encode: images is no array of numbers; expected IMAGES"),
        (lambda m: m.encode([[1, 2], [3]]), "encode: images is no array of numbers; expected IMAGES"),
        (
            lambda m: m.encode(np.zeros([1, 28, 28, 1], complex)),
            "encode: images is no array of numbers; expected IMAGES",
        ),
        (
            lambda m: m.encode(np.full([1, 28, 28, 1], 256)),
            "encode: images has the value 256, which uint8 cannot hold; expected IMAGES",
        ),
        (
            lambda m: m.encode(np.full([1, 28, 28, 1], 1e300)),
            "encode: images has the value 1e+300, which float32 cannot hold; expected IMAGES",
        ),
        (
            lambda m: m.encode(np.full([1, 28, 28, 1], 7.0)),
            "encode: float32 images must lie in [0, 1]; send those in 0..255 as uint8",
        ),
        (lambda m: m.generate(2, [1, 2, 3]), "generate: seed is int64 [3]; expected int32 [2]"),
        (lambda m: m.generate(2, 7), "generate: seed is one int64; expected int32 [2]"),
        (
            lambda m: m.generate(2, [1, 2**40]),
            "generate: seed has the value 1099511627776, which int32 cannot hold; expected int32 [2]",
        ),
        (
            lambda m: m.generate(2.5, [1, 2]),
            "generate: n has the value 2.5, which int32 cannot hold; expected one int32",
        ),
        (lambda m: m.decode([[0, 1, 0, 1]], [1, 2]), "decode: bits is int64 [1, 4]; expected int32 [N, 5]"),
        (
            lambda m: m.generate(2),
            "generate(n, seed) takes n: one int32; seed: int32 [2]; missing a required argument: 'seed'",
        ),
        (
            lambda m: m.encode(np.zeros([0, 28, 28, 1]), labels=1),
            "encode(images) takes images: IMAGES; got an unexpected keyword argument 'labels'",
        ),
    ],
)
def test_what_is_refused_is_told_in_one_line(model, call, message):
    with pytest.raises(UserError) as error:
        call(model)
    expected = message.replace("IMAGES", "uint8 or float32 [N, 28, 28, 1]")
    assert str(error.value).replace("float32 or uint8", "uint8 or float32") == expected


def test_bits_that_the_model_refuses(model):
    with pytest.raises(UserError, match=r"^decode: bits must be 0 or 1") as error:
        model.decode([[0, 1, 2, 0, 0]], [1, 2])
    for noise in ("\n", "{{", "] [", "Op:"):
        assert noise not in str(error.value)


def test_functions_of_other_saved_models_are_left_alone(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x)
    for size in (2, 3):  # and nothing else
        module.double.get_concrete_function(tf.TensorSpec([size], tf.float32, name="x"))
    module.total = tf.function(lambda x: x["a"] + x["b"])
    module.total(dict.fromkeys("ab", tf.zeros([])))
    tf.saved_model.save(module, str(tmp_path / "1"))
    loaded = tfcoded.load(tmp_path)
    assert loaded.double(tf.ones([3])).numpy().tolist() == [2, 2, 2]
    assert loaded.total(dict.fromkeys("ab", tf.ones([]))).numpy() == 2


def test_gradients_and_graphs(model, images):
    z = np.full([1, 5], 0.25)
    with tf.GradientTape() as tape:
        at = tf.constant(z)  # float64
        tape.watch(at)
        value = model.log_likelihood(images[:1], at)["log_likelihood"]
    assert np.abs(tape.gradient(value, at)).sum() > 0
    graph = tf.function(lambda batch: model.encode(batch)["bits"])
    np.testing.assert_array_equal(graph(tf.constant(images)), model.encode(images)["bits"])
    np.testing.assert_array_equal(graph(tf.constant(images / 255)), model.encode(images / 255)["bits"])


def test_everything_else_is_the_saved_models(model, images, tmp_path):
    assert model.signatures is model.saved_model.signatures
    assert repr(model) == "<LoadedModel uncoded_5>" and {"encode", "generate", "signatures"} <= set(dir(model))
    assert model.encode.__doc__ == "encode(images) takes images: uint8 or float32 [N, 28, 28, 1]."
    assert b"name: uncoded_5" in model.configuration().numpy()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = model.nothing
    assert tfcoded.load("uncoded_5").encode(images)["bits"].shape == [3, 5]  # no variable is lost on the way


def test_names_and_folders(model, images, tmp_path, monkeypatch):
    version = zoo.saved_model_path("uncoded_5")
    for given in (version, str(version), version.parent):
        same(tfcoded.load(given).encode(images), model.encode(images))
    logits = tfcoded.load("classifier_mnist").classify(images / 255)
    assert logits.shape == [3, 10]
    monkeypatch.chdir(version.parent.parent)
    assert repr(tfcoded.load("./uncoded_5")) == "<LoadedModel ./uncoded_5>"
    (tmp_path / "uncoded_8").mkdir()
    monkeypatch.chdir(tmp_path)
    assert b"name: uncoded_8" in tfcoded.load("uncoded_8").configuration().numpy()  # a folder has its name by accident
    for name, message in (
        ("coded_8_24", "unknown model 'coded_8_24'; did you mean 'coded_8_240'?"),
        ("runs/mine", "runs/mine is not a folder"),
        (tmp_path, "holds neither saved_model.pb nor a version folder"),
        (None, "a name is None"),
        ("", "unknown model ''"),
    ):
        with pytest.raises(UserError, match=message):
            tfcoded.load(name)


def test_the_package_imports_no_tensorflow():
    script = "import sys, tfcoded; print({'tensorflow', 'keras', 'numpy'} & set(sys.modules), callable(tfcoded.load))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"
