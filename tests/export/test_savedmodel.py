"""Version folders and work directories."""

import os
import pathlib

import numpy as np
import pytest
import small_models
import tensorflow as tf

from tfcoded import config
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import lock
from tfcoded.zoo.restoring import load_workdir, restored_model
from tfcoded.zoo.saving import export_saved_model


def test_versions_are_numbered_and_never_overwritten(tmp_path, monkeypatch):
    def save(module, folder, signatures):
        (pathlib.Path(folder) / "saved_model.pb").write_text("new")

    monkeypatch.setattr(tf.saved_model, "save", save)
    settings = small_models.configuration("repetition")
    model = small_models.build(small_models.configuration("repetition"))
    out = tmp_path / "models" / "mine"
    assert export_saved_model(model, settings, out) == out / "1"
    assert export_saved_model(model, settings, str(out)) == out / "2"
    for name in ("9", "notes", "x11", ".exporting-now", ".exporting-old"):
        (out / name).mkdir()
    with lock(out / ".exporting-now"):  # another was killed
        assert export_saved_model(model, settings, out) == out / "10"
    assert (out / ".exporting-now").is_dir() and not (out / ".exporting-old").exists()
    assert not list((out / "9").iterdir())
    assert (out / "10").stat().st_mode & 0o777 == 0o777 & ~umask()

    rename = pathlib.Path.rename

    def overtaken(folder, target):  # another process has published this version in between
        if target.name == "11":
            target.mkdir()
            (target / "saved_model.pb").write_text("theirs")
        return rename(folder, target)

    monkeypatch.setattr(pathlib.Path, "rename", overtaken)
    assert export_saved_model(model, settings, out) == out / "12"
    assert (out / "11" / "saved_model.pb").read_text() == "theirs"


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_export_leaves_nothing(interruption, tmp_path, monkeypatch):
    def save(module, folder, signatures):
        (pathlib.Path(folder) / "saved_model.pb").write_text("half")
        raise interruption

    monkeypatch.setattr(tf.saved_model, "save", save)
    settings = small_models.configuration("repetition")
    model = small_models.build(settings)
    expected = UserError if isinstance(interruption, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        export_saved_model(model, settings, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_work_directory(tmp_path):
    settings, model = small_models.work_directory(tmp_path / "run")
    x = small_models.images(settings, 2)
    module = load_workdir(tmp_path / "run")
    expected = tf.sigmoid(model.information_logits(x))
    np.testing.assert_allclose(module.encode(x)["bit_probabilities"], expected, atol=1e-5)
    assert config.from_yaml(module.configuration().numpy().decode()) == settings


def test_folders_that_are_no_work_directory(tmp_path):
    with pytest.raises(UserError, match="it has no config.yaml"):
        restored_model(tmp_path)
    (tmp_path / "config.yaml").write_text("name: [")
    with pytest.raises(UserError, match="config.yaml"):
        restored_model(tmp_path)
    (tmp_path / "config.yaml").write_text(config.to_yaml(small_models.configuration("repetition")))
    with pytest.raises(UserError, match="has no complete checkpoint"):
        restored_model(tmp_path)
    assert [child.name for child in tmp_path.iterdir()] == ["config.yaml"]  # reading writes nothing


def test_a_lost_name_of_the_newest_checkpoint(tmp_path):
    small_models.work_directory(tmp_path / "run", epochs=1)
    (tmp_path / "run" / "checkpoints" / "checkpoint").unlink()
    with pytest.raises(UserError, match="checkpoint is missing or damaged, but .* holds epoch-1; write the line"):
        restored_model(tmp_path / "run")


@pytest.mark.parametrize("suffix", ["data-00000-of-00001", "index"])
def test_truncated_checkpoints(suffix, tmp_path):
    small_models.work_directory(tmp_path / "run", epochs=1)
    (file,) = (tmp_path / "run" / "checkpoints").glob(f"*.{suffix}")
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(UserError, match="it is damaged"):
        restored_model(tmp_path / "run")
