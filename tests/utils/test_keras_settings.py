"""Keras' settings of the user, as keras.json and KERAS_* hold them."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

from tfcoded import models, zoo
from tfcoded.utils import keras_settings
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A command of this project, as `python -m` starts it, but for what it computes.
COMMAND = """
from tfcoded import cli

def main():
    import keras
    from tfcoded import networks  # refuses other settings

    config = keras.config
    print(config.backend(), config.floatx(), config.image_data_format(), config.epsilon(), config.max_epochs())
    print(config.max_steps_per_epoch())

if __name__ == "__main__":
    cli.run(main)
"""


def python(home, *arguments, **environment):
    variables = {**os.environ, "HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **environment}
    variables.pop("KERAS_HOME", None)
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path):
    """A home folder whose settings are all other than Keras' own."""
    settings = {"floatx": "float64", "epsilon": 1e-3, "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    return tmp_path


def test_commands_ignore_the_settings_and_leave_them(home):
    before = (home / ".keras" / "keras.json").read_text()
    (home / "command.py").write_text(COMMAND)
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "2", "KERAS_BACKEND": "torch"}
    done = python(home, "-m", "command", **limits)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["tensorflow float32 channels_last 1e-07 None", "None"]
    assert (home / ".keras" / "keras.json").read_text() == before


def test_the_parts_need_keras_on_tensorflow(tmp_path, monkeypatch):
    done = python(tmp_path, "-c", "import tfcoded.networks", KERAS_BACKEND="none")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "UserError: Keras cannot be imported: Unable to import backend : none" in last
    assert "KERAS_BACKEND=tensorflow" in last

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        UserError, match="the backend of Keras is 'jax', by KERAS_BACKEND or keras.json; expected 'tens"
    ):
        keras_settings.require()


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_models_refuse_another_floatx(floatx):
    before = keras.config.dtype_policy()  # which follows floatx unless it was asked for
    keras.config.set_floatx(floatx)
    try:
        with pytest.raises(
            UserError, match=f"the setting floatx of Keras is '{floatx}', by keras.json or set_floatx; expected"
        ):
            models.build(zoo.config("bwlc_channel_ae_snr1"))
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy(before)


def test_training_refuses_weights_of_another_dtype():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = models.build(zoo.config("bwlc_channel_ae_snr1"))
    finally:
        keras.config.set_dtype_policy(before)
    with pytest.raises(UserError, match="the model's weights are of float64, by Keras' dtype policy; expected float32"):
        model.compile(models.optimizer(zoo.config("bwlc_channel_ae_snr1")))


def test_networks_keep_their_axes():
    """The channels are the last axis of every image, whatever Keras' setting is."""
    from tfcoded.networks.classifier import Classifier
    from tfcoded.networks.stock_layers import convolution, transposed_convolution

    images = keras.random.uniform([2, 28, 28, 1], seed=0)

    def outputs():
        layers = [Classifier(), convolution(1, 3, 3, 0, "a"), transposed_convolution(1, 3, 4, 0, "b")]
        return [keras.ops.convert_to_numpy(layer(images)) for layer in layers]

    expected = outputs()
    keras.config.set_image_data_format("channels_first")
    try:
        got = outputs()
    finally:
        keras.config.set_image_data_format("channels_last")
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape and abs(one - other).max() < 1e-6
