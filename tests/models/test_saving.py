"""Every family of models as Keras saves and loads it: the same outputs, and a training that goes on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_systems
from tiny_systems import SEED, SHAPE, SYMBOLS

from tfcoded import codes, config, models, zoo
from tfcoded.channels import BinaryErasureChannel, BinarySymmetricChannel, GaussianChannel
from tfcoded.networks import ResNetDecoder, ResNetEncoder

OPTIONS = {"beta": 0.1, "warm_up_steps": 9, "clip_norm": 2.0, "flip": True, "seed": 3}


def _coded(code, objective):
    return models.CodedDVAE(
        code, (28, 28, 1), beta=12, encoder_width=3, decoder_width=2, seed=3, objective=objective, samples_at_once=2
    )


def _source():
    return models.SourceVAE(ResNetEncoder(SYMBOLS, 2, SHAPE, 3), ResNetDecoder(SYMBOLS, 2, SHAPE, 3), **OPTIONS)


def _channel():
    return models.ChannelAutoencoder(SYMBOLS, GaussianChannel(2.0, decay=0.5), units=4, seed=3)


FAMILIES = {
    "coded": lambda: _coded(codes.Hierarchical((2, 1), (4, 2)), models.ImportanceWeighted(2, 0.5, True)),
    "words": lambda: _coded(codes.RandomCode(3, 9, seed=2), models.LeaveOneOut(3, exact_kl=False)),
    "source_vae": _source,
    "channel_autoencoder": _channel,
    "joint": lambda: tiny_systems.joint("alv", "draw", objective="elbo", channel={"reveal_bands": True}, **OPTIONS),
    "joint_draw": lambda: tiny_systems.joint("draw", channel={"probabilities": [0.5, 0, 0, 0, 0.5]}, **OPTIONS),
    "relaxed": lambda: tiny_systems.binary(BinarySymmetricChannel(0.9, mode="relaxed"), **OPTIONS),
    "erasing": lambda: tiny_systems.binary(BinaryErasureChannel(0.2), "alv", samples=2, **OPTIONS),
}


def _images(model):
    if isinstance(model, models.ChannelAutoencoder):
        return np.zeros([6, 0], np.uint8)
    return np.random.default_rng(0).integers(0, 256, (6, *getattr(model, "item_shape", (28, 28, 1))), dtype=np.uint8)


def _outputs(model):
    if isinstance(model, models.ChannelAutoencoder):
        return model(tf.random.stateless_normal([4, SYMBOLS], SEED))
    return model(_images(model))


def _saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_loaded_model_answers_alike_and_its_training_goes_on(family, tmp_path):
    model = FAMILIES[family]()
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 10)
    model.compile(optimizer=models.AdamL2(rate, l2=1e-3), run_eagerly=True)
    batches = tf.data.Dataset.from_tensor_slices(_images(model)).batch(3)
    model.fit(batches, verbose=0)
    loaded = _saved_and_loaded(model, tmp_path)
    assert type(loaded) is type(model) and loaded.get_config() == model.get_config() and loaded.name == model.name
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]
    np.testing.assert_array_equal(_outputs(loaded), _outputs(model))
    assert loaded.optimizer.iterations == 2 and loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.evaluate(batches, verbose=0) == model.evaluate(batches, verbose=0)
    for continued in (model, loaded):
        continued.fit(batches, verbose=0)
    for mine, other in zip(
        [*model.weights, *model.optimizer.variables], [*loaded.weights, *loaded.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    assert any(np.any(moment != 0) for moment in loaded.optimizer._velocities)


def test_the_separate_system_is_saved_with_its_parts(tmp_path):
    model = models.SeparateSystem(_source(), _channel())
    loaded = _saved_and_loaded(model, tmp_path)
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(_outputs(loaded), _outputs(model))


@pytest.mark.parametrize("name", ["bwlc_joint_snr1", "coded_8_80"])
def test_what_is_built_of_a_configuration_is_saved_with_any_precision(name, tmp_path):
    settings = zoo.config(name)
    small = ["network.size=smoke"] if "bwlc" in name else ["network.encoder_width=4", "network.decoder_width=4"]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = models.build(config.override(settings, small), seed=1, total_steps=20)
    finally:
        keras.config.set_dtype_policy(before)
    loaded = _saved_and_loaded(model, tmp_path)
    assert keras.config.dtype_policy() == before
    images = np.random.default_rng(0).integers(0, 256, (2, *settings.item_shape), dtype=np.uint8)
    np.testing.assert_array_equal(loaded(images), model(images))
