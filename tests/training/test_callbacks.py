"""What a training records of its epochs."""

import keras
import numpy as np
import pytest

from tfcoded import pictures
from tfcoded.training.callbacks import EpochRecord, StopUnlessFinite
from tfcoded.utils.errors import UserError


class Home:
    """A work directory in memory."""

    def write_history(self, history):
        assert {len(values) for values in history.values()} == {len(history["epoch"])}, history
        self.history = {name: list(values) for name, values in history.items()}


class NoCheckpoints:
    def save(self, epoch):
        pass


def test_epochs_with_and_without_a_test_are_recorded_together(tmp_path):
    """A training without validation may go on with it, and the reverse."""
    home = Home()
    record = EpochRecord(NoCheckpoints(), home, {})
    for epoch, logs in enumerate([{"elbo": -3.0}, {"elbo": -2.0, "val_elbo": -2.5}, {"elbo": -1.0}]):
        record.on_epoch_begin(epoch)
        record.on_epoch_end(epoch, logs)
    seconds = home.history.pop("seconds")
    assert len(seconds) == 3 and all(value >= 0 for value in seconds)
    assert home.history == {"epoch": [1, 2, 3], "elbo": [-3.0, -2.0, -1.0], "val_elbo": [None, -2.5, None]}
    pictures.learning_curves(pictures.curves(home.history), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_weight_that_no_loss_shows_stops_the_training():
    layers = [keras.Input([2]), keras.layers.Dense(2, name="shown"), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="net")
    model.compile(keras.optimizers.Adam())
    finite = StopUnlessFinite(lambda: "epoch-1", "Think.")
    finite.set_model(model)
    finite.on_epoch_end(0, {"loss": 1.0})
    bias = model.layers[0].bias
    for broken in (np.nan, -np.inf):
        bias.assign([0.0, broken])
        with pytest.raises(UserError) as error:
            finite.on_epoch_end(1, {"loss": 1.0})
        expected = "net/shown/bias is not finite after epoch 2; the last good checkpoint is epoch-1. Think."
        assert str(error.value) == f"training stopped: {expected}"


def test_a_moment_that_no_weight_shows_stops_the_training():
    """The square of a large gradient overflows: the weight does not move, now and later."""
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False, name="frozen")], name="net")
    model.compile(keras.optimizers.Adam(), loss=lambda y, predicted: 1e25 * predicted, jit_compile=False)
    before = model.get_weights()[0]
    finite = StopUnlessFinite(lambda: None, "Think.")
    with pytest.raises(UserError, match=r"net_frozen_kernel_velocity is not finite after epoch 1; no epoch"):
        model.fit(np.ones([1, 1]), np.ones([1, 1]), callbacks=[finite], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
