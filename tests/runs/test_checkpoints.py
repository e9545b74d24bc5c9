"""A checkpoint gives a model all of its variables, or is refused."""

import resource

import keras
import pytest
import tensorflow as tf

from tfcoded.runs.checkpoints import Checkpoints, latest_epoch, restore_weights
from tfcoded.utils.errors import UserError


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


@pytest.mark.parametrize("content", [b"", b"xyz", b"\xff\xfe\x00", b'model_checkpoint_path: ""\n'])
def test_a_file_that_names_no_checkpoint_is_damaged(tmp_path, content):
    Checkpoints(tmp_path, model("first")).save(1)
    assert latest_epoch(tmp_path) == 1
    state = tmp_path / "checkpoints" / "checkpoint"
    state.write_bytes(content)
    advice = 'is missing or damaged, but .* holds epoch-1; write the line model_checkpoint_path: "epoch-1" into it'
    for read in (lambda: Checkpoints(tmp_path, model("first")), lambda: latest_epoch(tmp_path)):
        with pytest.raises(UserError, match=advice):
            read()
    state.write_text('model_checkpoint_path: "epoch-1"\n')
    assert Checkpoints(tmp_path, model("first")).restore() == latest_epoch(tmp_path) == 1
    state.write_bytes(content)
    for path in state.parent.glob("epoch-1.*"):
        path.unlink()
    with pytest.raises(UserError, match=f"holds no checkpoint; delete {state} to start again"):
        latest_epoch(tmp_path)
    state.unlink()
    assert latest_epoch(tmp_path) is None and Checkpoints(tmp_path, model("first")).restore() == 0


def test_a_save_that_fails_says_why_and_leaves_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path, model("first"))
    checkpoints.save(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(UserError) as caught:
            checkpoints.save(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value).startswith(f"cannot save a checkpoint into {tmp_path / 'checkpoints'}: {tmp_path}")
    assert "; File too large" in str(caught.value)
    assert not (tmp_path / "checkpoints" / "epoch-2_temp").exists()
    assert Checkpoints(tmp_path, model("first")).restore() == 1
