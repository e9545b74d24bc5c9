"""What `import tfcoded` offers: names that are imported when they are used, lists of models, models to train further."""

import importlib
import inspect
import pathlib
import pkgutil
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfcoded
from tfcoded import codes, config, models, zoo
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.utils.errors import UserError
from tfcoded.zoo.saving import export_saved_model

ROOT = pathlib.Path(__file__).resolve().parents[1]

IMPORTED = """
import sys, time
begin = time.perf_counter()
import tfcoded
seconds = time.perf_counter() - begin
heavy = {"tensorflow", "keras", "numpy", "pydantic", "absl"}
assert not heavy & set(sys.modules)
assert tfcoded.list_models("uncoded_?") and dir(tfcoded) and tfcoded.__version__
assert not {"tensorflow", "keras"} & set(sys.modules)
print(seconds)
"""

LOADED = """
import sys
import keras, numpy as np
from tfcoded import models
images = np.load("images.npy")
model = keras.saving.load_model("model.keras")
outputs = model.predict(images, verbose=0)
model.fit(images, batch_size=8, shuffle=False, verbose=0)
np.savez("found.npz", outputs, *model.get_weights(), *[np.asarray(each) for each in model.optimizer.variables])
"""


def run(script, cwd):
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(name="images", scope="module")
def _images():
    """Squares of several grey levels, uint8 `[16, 28, 28, 1]`."""
    images = np.zeros([16, 28, 28, 1], np.uint8)
    for number, image in enumerate(images):
        image[number : number + 10, 5:15] = 15 * number + 20
    return images


@pytest.fixture(name="settings", scope="module")
def _settings():
    small = ["name=small", "network.encoder_width=4", "network.decoder_width=4", "training.learning_rate=0.002"]
    return config.override(zoo.config("coded_5_50"), small)


@pytest.fixture(name="small")
def _small(settings):
    return models.build(settings, seed=3)


def same_weights(model, other):
    for mine, its in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_importing_costs_no_tensorflow(tmp_path):
    seconds = min(float(run(IMPORTED, tmp_path)) for _ in range(3))  # the machine may be busy
    assert seconds < 0.1


def test_list_models():
    assert tfcoded.list_models() == zoo.list()
    found = tfcoded.list_models("coded_8_*")
    assert found[:3] == ["coded_8_80", "coded_8_80_mnist", "coded_8_160"]
    assert all(name.startswith("coded_8_") for name in found)
    trained = tfcoded.list_models("*coded_8_*", pretrained=True)
    assert "coded_8_240" in trained and set(trained) < set(tfcoded.list_models("*coded_8_*"))
    assert all(zoo.has_weights(name) for name in trained)
    assert tfcoded.list_models("CODED_8_*") == tfcoded.list_models("nothing") == []
    with pytest.raises(UserError, match=r"a pattern is 3; expected a str such as 'coded_8_\*'"):
        tfcoded.list_models(3)


def test_an_entry_is_trained_further(images):
    """Steps on squares, which no model of clothes knows."""
    model = tfcoded.CodedDVAE.from_preset("uncoded_5")
    assert type(model) is models.CodedDVAE and model.configuration.name == "uncoded_5"
    entry = tfcoded.load("uncoded_5")
    bits = keras.ops.sigmoid(model.information_logits(images))
    np.testing.assert_allclose(bits, entry.encode(images)["bit_probabilities"], atol=1e-6)
    before = model.evaluate(images, verbose=0, return_dict=True)
    assert before["loss"] == -before["elbo"] > 0
    losses = model.fit(images, batch_size=16, epochs=15, validation_data=images / 255, verbose=0).history["val_loss"]
    assert losses[-1] < 0.9 * before["loss"] and np.isfinite(losses).all()
    shown = model.predict(images, verbose=0)
    assert shown.shape == images.shape and 0 <= shown.min() < shown.max() <= 1
    model.compile(optimizer="sgd")
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_saved_and_loaded_in_another_process(small, images, tmp_path):
    """The outputs are equal, and so are the weights and the optimizer's state after training goes on."""
    small.compile()
    assert isinstance(small.optimizer, models.AdamL2) and small.optimizer.learning_rate == np.float32(0.002)
    small.fit(images, batch_size=8, shuffle=False, verbose=0)
    small.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    run(LOADED, tmp_path)
    outputs = small.predict(images, verbose=0)
    small.fit(images, batch_size=8, shuffle=False, verbose=0)
    expected = [outputs, *small.get_weights(), *[np.asarray(each) for each in small.optimizer.variables]]
    with np.load(tmp_path / "found.npz") as found:
        assert len(found.files) == len(expected)
        for name, value in zip(found.files, expected, strict=True):
            np.testing.assert_array_equal(found[name], value)


def test_folders_are_presets(small, settings, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(config.to_yaml(settings))
    with pytest.raises(UserError, match="has no complete checkpoint"):
        tfcoded.CodedDVAE.from_preset(tmp_path / "run")
    Checkpoints(tmp_path / "run", small).save(1)
    export_saved_model(small, settings, tmp_path / "run" / "saved_model")
    for folder in (tmp_path / "run", tmp_path / "run" / "saved_model", str(tmp_path / "run" / "saved_model" / "1")):
        found = tfcoded.CodedDVAE.from_preset(folder)
        same_weights(found, small)
        assert found.get_config() == {**small.get_config(), "seed": 0} and found.configuration == settings
        assert found.optimizer.learning_rate == np.float32(0.002)
    (tmp_path / "uncoded_5").mkdir()
    monkeypatch.chdir(tmp_path)
    assert tfcoded.CodedDVAE.from_preset("uncoded_5").configuration.name == "uncoded_5"
    with pytest.raises(UserError, match="run/checkpoints holds neither a SavedModel nor a training"):
        tfcoded.CodedDVAE.from_preset("run/checkpoints")


def test_systems_have_presets_too():
    system = models.BinaryJointModel.from_preset("bwlc_bec_cifar10")
    images = np.random.default_rng(0).integers(0, 256, [4, 32, 32, 3])
    assert np.isfinite(system.fit(images, verbose=0).history["loss"][0])
    assert system.optimizer.l2 == 0.0


@pytest.mark.parametrize(
    "preset, message",
    [
        ("uncoded5", "unknown model 'uncoded5'; did you mean 'uncoded_5'?"),
        ("uncoded_5_mnist", r"the zoo has no weights for 'uncoded_5_mnist' .*train it with python -m tfcoded.train"),
        ("bwlc_bec_cifar10", "bwlc_bec_cifar10 is no CodedDVAE; use tfcoded.models.BinaryJointModel.from_preset"),
        ("classifier_mnist", "classifiers are no models"),
        ("runs/none", "runs/none holds neither a SavedModel nor a training"),
        (5, "a name is 5; expected a str such as 'coded_10_300'"),
    ],
)
def test_presets_that_are_none(preset, message):
    with pytest.raises(UserError, match=message) as caught:
        tfcoded.CodedDVAE.from_preset(preset)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arrays, message",
    [
        (lambda images: {"x": images[..., 0]}, r"the images are uint8 \[16, 28, 28\]; expected \[N, 28, 28, 1\]"),
        (lambda images: {"x": images[:0]}, r"the images are uint8 \[0, 28, 28, 1\]"),
        (lambda images: {"x": images.astype(float)}, r"values from 0 to 245; .* or floats in \[0, 1\]"),
        (lambda images: {"x": images.astype(int) + 100}, "values from 100 to 345"),
        (lambda images: {"x": images * np.nan}, "values from nan to nan"),
        (lambda images: {"x": [[1], [1, 2]]}, "the images are no array"),
        (lambda images: {"x": images.astype(str)}, "the images are <U"),
        (lambda images: {"x": images, "y": np.arange(16)}, "the models learn from images alone"),
        (lambda images: {"x": images, "validation_data": (images, images)}, "the models learn from images alone"),
    ],
)
def test_images_that_are_refused(small, images, arrays, message):
    small.compile()
    with pytest.raises(UserError, match=message):
        small.fit(**arrays(images), verbose=0)


def test_images_of_any_type_train_alike(settings, images):
    trained = []
    for given in (images, images.astype(np.int64), images.astype(np.float64) / 255, (images / 255).tolist()):
        model = models.build(settings)
        model.compile(run_eagerly=True)
        trained.append(model.fit(given, shuffle=False, verbose=0).history["loss"][0])
    np.testing.assert_allclose(trained, trained[0], rtol=1e-6)


def test_a_model_without_configuration_has_the_papers_optimizer():
    model = tfcoded.CodedDVAE(codes.Uncoded(2), (28, 28, 1), encoder_width=2, decoder_width=2)
    model.compile()
    assert model.optimizer.get_config() == models.AdamL2(1e-4, l2=1e-4).get_config()


def packages():
    """Every package of tfcoded that has names to offer."""
    found = [each.name for each in pkgutil.walk_packages(tfcoded.__path__, "tfcoded.") if each.ispkg]
    return ["tfcoded", *found]


@pytest.mark.parametrize("name", packages())
def test_a_package_says_what_it_offers(name):
    package = importlib.import_module(name)
    assert package.__doc__ and len(set(package.__all__)) == len(package.__all__)
    for each in package.__all__:
        value = getattr(package, each)
        if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
            assert inspect.getdoc(value), f"{name}.{each}"


EXAMPLES = [tfcoded.load, tfcoded.list_models, tfcoded.CodedDVAE, tfcoded.CodedDVAE.from_preset]


@pytest.mark.parametrize("described", EXAMPLES, ids=lambda each: each.__qualname__)
def test_examples_run(described, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"np": np, "keras": keras, "tfcoded": tfcoded, "codes": codes, "images_uint8": images}
    names |= {"CodedDVAE": tfcoded.CodedDVAE, "AdamL2": models.AdamL2}
    blocks = re.findall(r"```python\n(.*?)```", inspect.getdoc(described), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, described.__qualname__, "exec"), names)
