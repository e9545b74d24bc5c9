import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_systems import SEED, STEP

from tfcoded.channels import GaussianChannel
from tfcoded.models import AdamL2, ChannelAutoencoder
from tfcoded.utils import seeds


def tiny(snr=1.0, symbols=16, **options):
    return ChannelAutoencoder(symbols, GaussianChannel(snr, name="channel"), 32, **options)


def error(model, count=20000):
    """Mean squared error per number; its standard error is 0.25% with 16 numbers and 20,000 words."""
    source = model.source(count, [7, 8])
    return float(tf.reduce_mean((model.communicate(source, 1, SEED) - source) ** 2))


@pytest.mark.parametrize("snr", [0.1, pytest.param(1.0, marks=pytest.mark.slow), 10.0])
def test_training_reaches_the_best_code_and_no_more(snr):
    """G6: from scrambled linear maps, error in [0.97, 1.08] / (1 + s). Less would be a channel that leaks."""
    model = tiny(snr)
    rng = np.random.default_rng(0)
    for layer in (model.symbol_encoder, model.symbol_decoder):
        layer.linear.assign(rng.normal(0, 0.25, [16, 16]))
    assert error(model, 2000) > 1.3 / (1 + snr)
    steps = 400
    model.compile(AdamL2(keras.optimizers.schedules.CosineDecay(2e-2, steps), l2=0.0))
    model._maybe_symbolic_build()
    step = tf.function(model.train_step)
    for _ in range(steps):
        step(tf.zeros([512, 0], tf.uint8))
    assert 0.97 < error(model) * (1 + snr) < 1.08


def test_it_starts_as_the_best_linear_code():
    for snr in (0.1, 10.0):
        model = tiny(snr)
        for _ in range(2):
            model.training_terms(tf.zeros([4000, 0], tf.uint8), SEED, STEP)  # the power
        assert error(model) * (1 + snr) == pytest.approx(1, abs=0.012)


def test_its_items_are_counted_and_never_looked_at():
    """V6: training touches no image."""
    model = tiny()
    terms = model.training_terms(np.zeros([5, 0], np.uint8), SEED)
    assert list(terms) == ["loss", "mse"] and terms["loss"].shape == terms["mse"].shape == (5,)
    np.testing.assert_allclose(terms["loss"], 16 * terms["mse"], rtol=1e-6)
    assert model.item_shape == (0,) and model.source_dim == model.symbols == 16
    model.compile(AdamL2(1e-3, l2=0.0), jit_compile=False)
    items = np.zeros([20, 0], np.uint8)
    history = model.fit(items, batch_size=10, epochs=2, verbose=0, validation_data=items).history
    assert set(history) == {"loss", "mse", "val_loss", "val_mse"} and model.monitor == "mse"
    assert history["loss"][0] != history["loss"][1]


def test_communication_is_the_three_parts_in_turn():
    model = tiny()
    source = model.source(3, SEED)
    sent = model.transmit(source, seeds.derive(SEED, 2))
    arrived = model.corrupt(sent, seeds.derive(SEED, 3))
    np.testing.assert_array_equal(model.communicate(source, 1, SEED), model.receive(arrived, 1, SEED))
    rates = model.rates(source, SEED)
    assert set(rates) == {"transmission_rate", "source_rate"}
    np.testing.assert_allclose(rates["source_rate"], rates["transmission_rate"], rtol=1e-6)


def test_no_rate_is_paid_for():
    with pytest.raises(ValueError, match="beta must be 0, got 0.1"):
        tiny(beta=0.1)
