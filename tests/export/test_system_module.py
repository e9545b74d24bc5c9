"""Communication systems as modules, before and after they are saved, against the Keras models that they wrap."""

import collections

import keras
import numpy as np
import pytest
import small_systems
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfcoded import config, families, models
from tfcoded.codec.communication import SystemModule
from tfcoded.utils.errors import UserError
from tfcoded.zoo import golden, verification
from tfcoded.zoo.restoring import restore_weights
from tfcoded.zoo.saving import module as module_of

SEED, OTHER = tf.constant([3, 4]), tf.constant([3, 5])


def close(a, b, name=""):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)


def outcomes(system, x, bands):
    """What the methods of a Keras model, a module or a loaded SavedModel give; name -> array."""

    def call(method, *arguments):
        found = getattr(system, method)(*arguments)
        return found if isinstance(found, dict) else {"only": found}

    def only(method, *arguments):
        (found,) = call(method, *arguments).values()
        return np.asarray(found)

    sent = only("transmit", x, SEED)
    found = {"transmit": sent, "corrupt": only("corrupt", sent, SEED)}
    for count in range(bands + 1):
        found[f"receive_{count}"] = only("receive", found["corrupt"], tf.constant(count), SEED)
    found["communicate"] = only("communicate", x, tf.constant(bands), OTHER)
    return found | {name: np.asarray(value) for name, value in call("rates", x, SEED).items()}


@pytest.mark.parametrize("name", ["bands", "separate"])
def test_a_system_goes_on_from_what_was_stored(name, systems):
    settings, _, _, loaded, folder = systems[name]
    model = small_systems.build(settings, seed=9)
    restore_weights(model, folder)
    x, bands = small_systems.images(settings, 5), settings.channel.bands
    expected = outcomes(loaded, x, bands)
    for key, value in outcomes(module_of(model, settings), x, bands).items():
        close(value, expected[key], key)


@pytest.mark.parametrize("name", small_systems.CASES)
def test_the_module_computes_what_the_model_does(name):
    settings = small_systems.configuration(name)
    model = small_systems.build(settings)
    module = module_of(model, settings)
    x = small_systems.images(settings, 5)
    bands = settings.channel.bands
    expected = outcomes(model, x, bands)
    if name != "channel":  # images are clipped
        outside = [key for key in expected if key.startswith(("receive", "communicate"))]
        assert any(np.abs(expected[key] - 0.5).max() > 0.5 for key in outside)
        expected |= {key: np.clip(expected[key], 0, 1) for key in outside}
    found = outcomes(module, x, bands)
    assert found.keys() == expected.keys() and len(set(families.of(settings).rates(settings)) - found.keys()) == 0
    for key, value in expected.items():
        close(found[key], value, key)
    # It is a copy, of the running power and the prior too.
    for weight in model.weights:
        weight.assign(weight + 0.1)
    for key, value in outcomes(module, x, bands).items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_bands_seeds_and_rows(systems):
    settings, _, _, module, _ = systems["bands"]  # as loaded: nothing is traced for each shape
    x = small_systems.images(settings, 4)
    sent = module.transmit(x, SEED)["symbols"]
    assert np.abs(sent - module.transmit(x, OTHER)["symbols"]).max() > 1e-3
    # What is said of lost bands is not looked at, and they are filled in anew for every row and seed.
    for count in range(small_systems.BANDS + 1):
        kept = count * small_systems.SYMBOLS // small_systems.BANDS
        other = tf.concat([sent[:, :kept], 9 + sent[:, kept:]], axis=1)
        shown, again = (module.receive(z, tf.constant(count), SEED)["images"] for z in (sent, other))
        np.testing.assert_array_equal(shown, again)
        if kept:
            other = tf.concat([9 + sent[:, :kept], sent[:, kept:]], axis=1)
            assert np.abs(shown - module.receive(other, tf.constant(count), SEED)["images"]).max() > 1e-3
    nothing = module.receive(tf.zeros([2, small_systems.SYMBOLS]), tf.constant(0), SEED)["images"]
    assert np.abs(nothing[0] - nothing[1]).max() > 1e-3
    # float images are the same images.
    close(module.transmit(x / np.float32(255), SEED)["symbols"], sent)


@pytest.mark.parametrize("name", ["bands", "erasing"])
def test_a_seed_gives_the_same_noise_in_a_graph_and_under_xla(name, systems):
    settings = small_systems.configuration(name)
    module = systems[name][2] if name in systems else module_of(small_systems.build(settings), settings)
    x = small_systems.images(settings, 2)
    sent = module.transmit(x, SEED)["symbols"]
    for method in (
        lambda seed: module.transmit(x, seed)["symbols"],
        lambda seed: module.corrupt(sent, seed)["symbols"],
        lambda seed: module.receive(sent, 1, seed)["images"],
        lambda seed: module.communicate(x, 1, seed)["images"],
        lambda seed: module.rates(x, seed)["rate"],
    ):
        compiled = tf.function(method, jit_compile=True)
        for first in (1, 2):
            seed = tf.constant([first, -first])
            np.testing.assert_allclose(compiled(seed), method(seed), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["bands", "separate"])
def test_saved_and_loaded_it_is_the_same(name, systems):
    settings, _, module, loaded, _ = systems[name]
    x = small_systems.images(settings, 3)
    bands = settings.channel.bands
    expected, found = outcomes(module, x, bands), outcomes(loaded, x, bands)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        close(found[key], value, key)
    verification._check_signatures(loaded, families.of(settings).signatures(settings))
    assert config.from_yaml(loaded.configuration().numpy().decode()) == settings
    inputs = {"images": x, "bands": tf.constant(1), "seed": SEED}
    expected = module.communicate(x, tf.constant(1), SEED)["images"]
    close(loaded.signatures["serving_default"](**inputs)["images"], expected)
    inputs["images"] = x / np.float32(255)
    close(loaded.signatures["communicate_float"](**inputs)["images"], expected)


@pytest.mark.parametrize("name", ["bands", "separate"])
def test_a_network_is_stored_once(name, systems):
    settings, model, *_, folder = systems[name]
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    counts = collections.Counter(
        node.op for function in saved.meta_graphs[0].graph_def.library.function for node in function.node_def
    )
    source = getattr(model, "source", model)

    @tf.function
    def once(x, z):
        return source.encoder(x), source.decoder(z, seed=SEED) if name == "bands" else source.decoder(z)

    graph = once.get_concrete_function(
        tf.TensorSpec([None, 8, 8, 3]), tf.TensorSpec([None, source.decoder.symbols])
    ).graph
    needed = collections.Counter(operation.type for operation in graph.get_operations())
    assert needed["Conv2D"] > 10
    assert counts["Conv2D"] == needed["Conv2D"]
    parameters = sum(int(np.prod(weight.shape)) for weight in model.weights)
    data = sum(file.stat().st_size for file in folder.glob("variables/*.data*"))
    assert 4 * parameters <= data < 4.4 * parameters


def test_what_is_refused(systems):
    settings, model, module, loaded, _ = systems["bands"]
    x = small_systems.images(settings, 2)
    sent = module.transmit(x, SEED)["symbols"]
    with pytest.raises(ValueError, match="int32; expected uint8"):
        module.transmit(tf.constant(x, tf.int32), SEED)
    with pytest.raises(ValueError, match=r"shape \(2, 4, 16, 3\); expected \[N, 8, 8, 3\]"):
        module.communicate(x.reshape(2, 4, 16, 3), tf.constant(1), SEED)
    for wrong in (x.astype(np.float32), x / np.float32(255) - 0.5, np.full_like(x, np.nan, np.float32)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"must lie in \[0, 1\]"):
            module.rates(wrong, SEED)
    for bands in (-1, 6):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"bands must lie in 0..5, got"):
            loaded.receive(sent, tf.constant(bands), SEED)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"bands must lie in 0..5, got"):
            loaded.communicate(x, tf.constant(bands), SEED)
    with pytest.raises(ValueError, match="bands is float32; expected one int32"):
        module.receive(sent, tf.constant(1.0), SEED)
    with pytest.raises(ValueError, match=r"bands has shape \(2,\); expected \[\]"):
        module.receive(sent, tf.constant([1, 2]), SEED)
    with pytest.raises(ValueError, match=r"symbols have shape \(2, 19\); expected \[N, 20\]"):
        module.corrupt(sent[:, 1:], SEED)
    with pytest.raises(ValueError, match="symbols are float64; expected float32"):
        module.corrupt(tf.cast(sent, tf.float64), SEED)

    with pytest.raises(UserError, match="unknown storage 'int9'; did you mean 'int8'"):
        SystemModule(model, settings, "int9")
    for setting, name in {
        "channel.snr=2": "channel",
        "channel.symbols=25": "weights",
        "prior=gaussian": "weights",
        "network.image_shape=[16, 8, 3]": "images",
    }.items():
        with pytest.raises(ValueError, match=f"a system with other {name}"):
            SystemModule(model, config.override(settings, [setting]))
    numbers = small_systems.configuration("channel")
    sender = SystemModule(models.build(numbers), numbers)
    with pytest.raises(ValueError, match="images are uint8; expected float32"):
        sender.transmit(np.zeros([2, 20], np.uint8), SEED)
    broken = models.build(numbers)
    broken.symbol_decoder.linear.assign(np.full([20, 20], np.nan))
    with pytest.raises(UserError, match="symbol_decoder/linear holds numbers that are not finite"):
        SystemModule(broken, numbers)


def test_trained_in_bfloat16_it_computes_in_float32():
    settings = small_systems.configuration("erasing")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build(settings, seed=1)
    finally:
        keras.config.set_dtype_policy(before)
    exact = models.build(settings, seed=1)
    x = small_systems.images(settings, 4)
    module = SystemModule(model, settings)
    close(module.rates(x, SEED)["rate"], exact.rates(x, SEED)["rate"])
    assert np.abs(model.rates(x, SEED)["rate"] - exact.rates(x, SEED)["rate"]).max() > 1e-4


@pytest.mark.parametrize("storage, change", [("bfloat16", 0.02), ("int8", 0.03), ("int4", 0.5)])
def test_compact_storage(storage, change, systems):
    settings, model, exact, *_ = systems["separate"]
    x = small_systems.images(settings, 4)
    module = SystemModule(model, settings, storage)
    moved = np.abs(module.transmit(x, SEED)["symbols"] - exact.transmit(x, SEED)["symbols"]).max()
    assert 1e-5 < moved < change


@pytest.mark.parametrize("name", ["bands", "channel"])
def test_golden_outputs(name, systems, tmp_path):
    settings = small_systems.configuration(name)
    module = systems[name][3] if name in systems else module_of(small_systems.build(settings), settings)
    images = small_systems.images(settings, 9) if name == "bands" else np.zeros([9, 0], np.uint8)
    path = tmp_path / "golden.npz"
    path.write_bytes(golden.record(module, settings, images))
    assert golden.check(module, settings, path) == {"bands": 9 + 3, "channel": 5 + 2}[name]
    with np.load(path) as file:
        arrays = dict(file)
    assert len(arrays["images"]) == golden.IMAGES
    for key, more in (("receive_1/images", 3e-4), ("rates/source_rate", 0.1), ("symbols", 0.1)):
        np.savez(tmp_path / "changed.npz", **arrays | {key: arrays[key] + np.float32(more)})
        with pytest.raises(UserError, match="differs" if key == "symbols" else f"{key} differs"):
            golden.check(module, settings, tmp_path / "changed.npz")
