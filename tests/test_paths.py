"""Paths that shells leave as they are, that TensorFlow takes for patterns, or that need more than ASCII."""

import json
import os
import pathlib
import re

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from tfcoded import data, zoo
from tfcoded.runs.checkpoints import Checkpoints, restore_weights
from tfcoded.utils import cache
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import expanded, for_tensorflow, write_atomically

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Flags of text that are no paths. Any other is to be defined by `tfcoded.utils.path_flags`.
NO_PATHS = {"betas", "metrics", "model", "one", "over", "override", "plugin", "seeds", "size", "snrs", "storages"}
NO_PATHS_THERE = {("tfcoded/zoo/__main__.py", "dataset"), ("benchmarks/objectives.py", "models")}

PATTERNS = ["seed[1]", "seed*", "seed?", "seed\\1"]


def saved(workdir, epochs):
    """Weights of a layer, of which a checkpoint was saved after every epoch."""
    layer = keras.Sequential([keras.layers.Dense(2, name="first")])
    layer.build((None, 3))
    optimizer = keras.optimizers.Adam()
    optimizer.build(layer.trainable_variables)
    checkpoints = Checkpoints(workdir, layer, optimizer)
    for epoch in range(1, epochs + 1):
        checkpoints.save(epoch)
    return checkpoints, layer


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/zoë")
    assert expanded("~/runs/a") == expanded(pathlib.Path("~/runs/a")) == "/home/zoë/runs/a"
    for path in ("", "runs/~", "./~/a", "~nobody-of-that-name/a", "a b"):
        assert expanded(path) == path
    monkeypatch.setenv(cache.ENVIRONMENT, "~/kept")
    assert cache.folder() == pathlib.Path("/home/zoë/kept")
    with pytest.raises(UserError, match="is not UTF-8"):
        expanded(os.fsdecode(b"runs/\xff"))


@pytest.mark.parametrize("name", PATTERNS)
def test_what_tensorflow_would_take_for_a_pattern(name, tmp_path):
    with pytest.raises(UserError, match=re.escape(f"the path runs/{name} has a {name[4]}, by which TensorFlow")):
        for_tensorflow(f"runs/{name}")
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="by which TensorFlow"):
        saved(tmp_path / name, 1)
    assert not files(tmp_path)


def test_every_flag_that_is_a_path_is_defined_as_one():
    found = set()
    packages = [ROOT / name for name in ("tfcoded", "export", "benchmarks")]
    for path in (file for package in packages for file in package.rglob("*.py")):
        for name in re.findall(r"DEFINE_(?:multi_)?(?:string|list)\(\s*\"(\w+)\"", path.read_text()):
            if name not in NO_PATHS:
                found.add((path.relative_to(ROOT).as_posix(), name))
    assert found == NO_PATHS_THERE


def test_checkpoints_are_cleared_by_exact_names(tmp_path, monkeypatch):
    checkpoints, _ = saved(tmp_path / "seed1", 1)
    beside = {"epoch-1.index.old", "epoch-1.data-00000-of-00001x", "epoch-11.index.txt", "epoch-1.notes"}
    for name in beside:
        (checkpoints.folder / name).write_text("mine")
    for epoch in (2, 3, 10):
        checkpoints.save(epoch)
    kept = {f"epoch-{epoch}.{part}" for epoch in (3, 10) for part in ("index", "data-00000-of-00001")}
    assert {path.name for path in checkpoints.folder.iterdir()} == {"checkpoint"} | kept | beside
    assert tf.train.latest_checkpoint(str(checkpoints.folder)) == str(checkpoints.folder / "epoch-10")

    # TensorFlow is given no more of a path than the user gave, so the current folder may have any name.
    (tmp_path / "seed[1]").mkdir()
    monkeypatch.chdir(tmp_path / "seed[1]")
    before = files(tmp_path / "seed1")
    inner, layer = saved("run", 3)
    assert files(tmp_path / "seed1") == before
    assert sorted(path.name for path in inner.folder.glob("*.index")) == ["epoch-2.index", "epoch-3.index"]
    expected = layer.get_weights()
    layer.set_weights([value + 1 for value in expected])
    restore_weights(layer, "run/checkpoints/epoch-3")
    np.testing.assert_array_equal(layer.get_weights()[0], expected[0])


def test_checkpoints_of_a_manager_are_gone_on_from(tmp_path):
    checkpoints, layer = saved(tmp_path, 0)
    optimizer = keras.optimizers.Adam()
    optimizer.build(layer.trainable_variables)
    content = {variable.path.replace("/", "."): variable.value for variable in [*layer.weights, *optimizer.variables]}
    epoch = tf.Variable(0, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(epoch=epoch, **content), str(checkpoints.folder), max_to_keep=2, checkpoint_name="epoch"
    )
    for number in (1, 2):
        epoch.assign(number)
        manager.save(checkpoint_number=number)
    checkpoints = Checkpoints(tmp_path, layer, optimizer)
    assert checkpoints.restore() == 2
    checkpoints.save(3)
    assert sorted(path.name for path in checkpoints.folder.glob("*.index")) == ["epoch-2.index", "epoch-3.index"]
    state = tf.train.get_checkpoint_state(str(checkpoints.folder))
    assert [pathlib.Path(path).name for path in state.all_model_checkpoint_paths] == ["epoch-2", "epoch-3"]
    assert pathlib.Path(state.model_checkpoint_path).name == "epoch-3"


def test_what_cannot_be_opened_is_not_called_damaged(tmp_path):
    checkpoints, layer = saved(tmp_path, 1)
    (tmp_path / "damaged").mkdir()
    for name in ("epoch-1.index", "epoch-1.data-00000-of-00001"):
        path = checkpoints.folder / name
        path.rename(tmp_path / name)
        path.symlink_to(path)  # refused like a file without permission, to any user
        with pytest.raises(OSError, match="Too many levels of symbolic links") as caught:
            Checkpoints(tmp_path, layer).restore()
        assert caught.value.filename == str(path)
        path.unlink()
        (tmp_path / name).rename(path)
    assert Checkpoints(tmp_path, layer).restore() == 1

    model = tmp_path / "model"
    tf.saved_model.save(tf.Module(), str(model))
    link = tmp_path / "se[1]"
    link.symlink_to(model)
    with pytest.raises(UserError, match="by which TensorFlow would take it for a pattern"):
        zoo.load_saved_model(link)
    with pytest.raises(UserError, match="by which TensorFlow would take it for a pattern"):
        data.load("mnist", link)
    assert zoo.load_saved_model(model) is not None
    (model / "fingerprint.pb").unlink()
    (model / "fingerprint.pb").mkdir()
    (model / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(UserError, match="is damaged"):
        zoo.load_saved_model(model)
    (tmp_path / "metrics.json").symlink_to("metrics.json")
    with pytest.raises(OSError, match="Too many levels"):
        zoo.read_record(tmp_path / "metrics.json")


CONFIG = """
name: tiny
dataset: {dataset}
likelihood: bernoulli
beta: 15.0
code: {{kind: repetition, information_bits: 4, code_bits: 20}}
network: {{image_shape: [28, 28, 1], encoder_width: 16, decoder_width: 16}}
training: {{epochs: 1, batch_size: 16, learning_rate: 0.01}}
"""


def test_runs_in_folders_of_any_name(tmp_path):
    """As a user sees it: a run is trained, gone on with, exported, measured and drawn; another is left alone."""
    home, elsewhere = tmp_path / "Zoë's home", tmp_path / "run [1]"
    home.mkdir()
    elsewhere.mkdir()

    def run(module, *arguments, status=0):
        environment = {**os.environ, "HOME": str(home)}
        done = commands.run(module, *arguments, cwd=elsewhere, env=environment, prepare=tiny_networks.PREPARE)
        assert done.returncode == status, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stderr if status else done.stdout

    images = home / "bilder [1] *é.npz"
    content = np.uint8(255 * (np.random.default_rng(0).random([40, 4, 4, 1]) < 0.2)).repeat(7, 1).repeat(7, 2)
    np.savez(images, train=content[:30], test=content[30:])
    (home / "größe?.yaml").write_text(CONFIG.format(dataset=json.dumps("~/bilder [1] *é.npz")))
    tiny = ("--config=~/größe?.yaml", "--workdir=~/läufe é/seed1", "--runs=1", "--words=4")
    workdir = home / "läufe é" / "seed1"
    run("tfcoded.train", *tiny, "--noexport")
    assert "going on after epoch 1 of 2" in run("tfcoded.train", *tiny, "--epochs=2")
    assert "dataset: " in (workdir / "config.yaml").read_text() and json.loads((workdir / "metrics.json").read_text())

    before = files(workdir)
    for name, module, flag in (
        ("seed[1]", "tfcoded.train", "--workdir"),
        ("see*", "export", "--workdir"),
        ("seed?", "tfcoded.evaluate", "--workdir"),
    ):
        (home / "läufe é" / "seed[1]").mkdir(exist_ok=True)
        more = tiny[:1] if module == "tfcoded.train" else ()
        error = run(module, *more, f"{flag}=~/läufe é/{name}", status=2)
        assert error.startswith(f"error: flag {flag}=") and error.count("\n") == 1 and "damaged" not in error
        assert "by which TensorFlow would take it for a pattern of other paths" in error
    assert files(workdir) == before and not list((home / "läufe é" / "seed[1]").iterdir())

    run("export", f"--workdir={workdir}", "--out=~/modèles 2")
    run("tfcoded.evaluate", "--saved_model=~/modèles 2", "--runs=1", "--words=4", "--out=~/m [2].json")
    assert json.loads((home / "m [2].json").read_text())["name"] == "tiny"
    assert "words.png" in run("tfcoded.generate", "--saved_model=~/modèles 2/1", "--out=~/bilder [2]", "--rows=1")
    model = tf.saved_model.load(str(home / "modèles 2" / "1"))
    assert model.generate(3, [1, 2])["images"].shape == (3, 28, 28, 1)
    assert "the path" in run("export", f"--workdir={workdir}", "--out=~/ex[1]", status=2)
    assert not (home / "ex[1]").exists() and not list(elsewhere.iterdir())


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "a.json", "before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(tmp_path / "a.json", "after")
    assert caught.value.filename == str(tmp_path / "a.json")
    monkeypatch.undo()
    assert (tmp_path / "a.json").read_text() == "before" and len(list(tmp_path.iterdir())) == 1
    message = "{{function_node x}} /logs/events.1; No space left on device\\n\\tFailed to flush"
    raised = f"tf.errors.ResourceExhaustedError(None, None, {message!r})"
    program = f"import tensorflow as tf\nfrom tfcoded import cli\ndef main(): raise {raised}\ncli.run(main)"
    done = commands.run_code(program.replace("\\\\n", "\\n").replace("\\\\t", "\\t"))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: /logs/events.1; No space left on device")
    if os.path.exists("/dev/full"):
        done = commands.run_code(
            "from tfcoded import cli\ndef main(): print('much')\ncli.run(main)",
            prepare="import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
        )
        assert done.returncode == 2 and "No space left on device: standard output" in done.stderr
