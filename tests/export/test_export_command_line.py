import pathlib
import shlex
import subprocess
import sys

import commands
import numpy as np
import small_models
import tensorflow as tf
import tiny_networks

from tfcoded import config
from tfcoded.zoo.saving import export_saved_model

ROOT = pathlib.Path(__file__).resolve().parents[2]


def command_line(*arguments):
    return commands.run("export", *arguments, prepare=tiny_networks.PREPARE)


def test_command_line(tmp_path):
    workdir = tmp_path / "my run"
    with small_models.networks("repetition"):
        settings, model = small_models.work_directory(workdir)
    done = command_line(f"--workdir={workdir}", "--storage=bfloat16")
    assert done.returncode == 0, done.stderr[-3000:]
    folder = workdir / "saved_model" / "1"
    assert str(folder) in done.stdout and "bfloat16" in done.stdout
    x = small_models.images(settings, 2)
    expected = tf.sigmoid(model.information_logits(x))
    loaded = tf.saved_model.load(str(folder))
    change = np.abs(loaded.encode(x)["bit_probabilities"] - expected).max()
    assert 0 < change < 0.05
    served = shlex.split(done.stdout.partition("serve it: ")[2])
    assert f"{folder.parent}:/models/{settings.name}" in served and f"MODEL_NAME={settings.name}" in served
    assert "WARNING" not in done.stderr.replace("WARNING: All log messages before absl", "")


def test_an_entry_in_another_storage(tmp_path):
    settings = small_models.configuration("repetition")
    with small_models.networks("repetition"):
        model = small_models.build(settings, contrast=True)
        stored = export_saved_model(model, settings, tmp_path / "zoo" / "repetition", "int8")
    (tmp_path / "zoo" / "repetition" / "config.yaml").write_text(config.to_yaml(settings))
    arguments = ["--model=repetition", f"--zoo_dir={tmp_path / 'zoo'}"]
    done = command_line(*arguments, "--storage=float32", f"--out={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr[-3000:]
    made, entry = (tf.saved_model.load(str(folder)) for folder in (tmp_path / "out" / "1", stored))
    x = small_models.images(settings, 3)
    np.testing.assert_allclose(made.encode(x)["bit_probabilities"], entry.encode(x)["bit_probabilities"], atol=1e-6)
    assert np.abs(tf.sigmoid(model.information_logits(x)) - made.encode(x)["bit_probabilities"]).max() > 1e-6
    variables = tf.train.load_checkpoint(str(tmp_path / "out" / "1" / "variables" / "variables"))
    types = {variables.get_tensor(name).dtype for name in variables.get_variable_to_shape_map() if "_stored" in name}
    assert types == {np.dtype(np.float32)}
    for wrong, message in (
        (arguments, "expected --out with --model"),
        ([*arguments, f"--workdir={tmp_path}"], "expected either --workdir"),
        ([], "expected either --workdir"),
        (["--model=repetitio", *arguments[1:], "--out=x"], "did you mean 'repetition'"),
    ):
        done = command_line(*wrong)
        assert done.returncode == 2 and "error: " in done.stderr and message in done.stderr, done.stderr[-2000:]


def test_command_line_mistakes(tmp_path):
    for arguments, message in (
        ([f"--workdir={tmp_path / 'absent'}"], "is not a folder"),
        ([f"--workdir={tmp_path}", f"--out={__file__}"], "is a file; expected a folder"),
        ([f"--workdir={tmp_path}"], "it has no config.yaml"),
    ):
        done = command_line(*arguments)
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert message in line and "Traceback" not in done.stderr


def test_help_is_there_without_tensorflow():
    command = [sys.executable, "-X", "importtime", "-m", "export", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "python -m export --workdir" in done.stdout and "--storage" in done.stdout
    assert "absl" in done.stderr and "tensorflow" not in done.stderr  # the modules that were imported
