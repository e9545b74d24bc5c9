"""A checkpoint gives a model all of its variables, or is refused."""

import keras
import pytest
import tensorflow as tf

from tfcoded.checkpoints import Checkpoints, restore_weights
from tfcoded.errors import UserError


def model(*names):
    """Dense layers of these names, one after the other."""
    layers = [keras.layers.Dense(2, name=name) for name in names]
    built = keras.Sequential([keras.Input([2]), *layers], name="tiny")
    for weight in built.weights:
        weight.assign(tf.ones(weight.shape))
    return built


def test_variables_that_the_file_lacks_are_not_left_as_they_are(tmp_path):
    Checkpoints(tmp_path, model("first")).save(1)
    path = str(tmp_path / "checkpoints" / "epoch-1")
    for restore in (
        lambda: Checkpoints(tmp_path, model("first", "second")).restore(),
        lambda: Checkpoints(tmp_path, model("renamed")).restore(),
        lambda: restore_weights(model("first", "second"), path),
    ):
        with pytest.raises(UserError, match="it belongs to a model with other variables"):
            restore()
    same = model("first")
    same.layers[0].kernel.assign(tf.zeros([2, 2]))
    restore_weights(same, path)
    assert same.layers[0].kernel.numpy().tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_variables_that_the_model_lacks_are_refused_by_a_training(tmp_path):
    optimizer = keras.optimizers.Adam()
    trained = model("first")
    optimizer.build(trained.trainable_variables)
    Checkpoints(tmp_path, trained, optimizer).save(1)
    with pytest.raises(UserError, match="it belongs to a model with other variables"):
        Checkpoints(tmp_path, model("first", "second"), optimizer).restore()
    restore_weights(model("first"), str(tmp_path / "checkpoints" / "epoch-1"))  # the optimizer's are left
