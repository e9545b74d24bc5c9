"""Communication systems by the commands, as a user meets them: trained, measured, drawn, exported and shipped."""

import json
import pathlib
import re

import commands
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfcoded import config as configuration, pictures, zoo
from tfcoded.training import loop
from tfcoded.training.callbacks import EpochRecord
from tfcoded.zoo import sources, verification

# Five bands of four symbols, with a prior that is learned.
ENTRY = """
name: tiny
system: joint
dataset: {dataset}
beta: 0.1
channel: {{kind: gaussian, symbols: 20, bands: 5, snr: 10}}
prior: draw
network: {{size: smoke}}
training: {{epochs: 2, batch_size: 16}}
figures: [Figure 5]
"""


def run(module, *arguments):
    done = commands.run(module, *arguments)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def refused(module, *arguments):
    """The error message of a command that must fail with one line and no traceback."""
    done = commands.run(module, *arguments)
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return error


def record(workdir, name="metrics.json"):
    return json.loads((workdir / name).read_text())


def values(workdir, name="metrics.json"):
    return {metric: found["value"] for metric, found in record(workdir, name)["metrics"].items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with images, a zoo with the entry `tiny`, and a training of it in `run`."""
    home = tmp_path_factory.mktemp("systems")
    coarse = np.random.default_rng(0).integers(0, 256, [60, 4, 4, 3]).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    np.savez(home / "images.npz", train=coarse[:40], test=coarse[40:])
    entry = home / "zoo" / "tiny"
    entry.mkdir(parents=True)
    (entry / "config.yaml").write_text(ENTRY.format(dataset=home / "images.npz"))
    printed = run("tfcoded.train", "--model=tiny", f"--zoo_dir={home / 'zoo'}", f"--workdir={home / 'run'}")
    (home / "printed.txt").write_text(printed)
    return home


HEADING = pictures.LINE + pictures.GAP


def side(images):
    """Height of so many rows of a sheet, or width of so many columns, in pixels: 32 x 32 images are magnified threefold."""
    return 2 * 16 + images * 96 + (images - 1) * 6


def test_a_training_leaves_numbers_pictures_and_a_saved_model(home):
    workdir, printed = home / "run", (home / "printed.txt").read_text()
    assert "20 symbols in 5 bands over a Gaussian channel of signal-to-noise ratio 10" in printed
    assert re.search(r"epoch 2 of 2: mse 0\.0\d{4}  ", printed)  # four digits of a small number
    assert not re.search("published", printed)
    content = record(workdir)
    names = ["mse", "psnr", *(f"mse_bands_{count}" for count in range(6))]
    names += ["rate", "transmission_rate", "source_rate", "power", "capacity_used"]
    assert list(content["metrics"]) == names
    assert (content["epochs"], content["images"], content["draws"]) == (2, 20, 4)
    assert content["published"] == {} and content["training"]["train_images"] == 40
    assert content["notes"] == ["objective rd, beta 0.1"]
    assert content["command"].startswith("python -m tfcoded.train --model=tiny")
    history = record(workdir, "history.json")
    assert history["epoch"] == [1, 2] and {"loss", "mse", "val_mse", "val_rate"} <= history.keys()
    # Images of 8x8 blocks, each magnified threefold: originals above five rows; eight rows of samples of the prior.
    assert Image.open(workdir / "reconstructions.png").size[1] == HEADING + side(6)
    assert Image.open(workdir / "samples.png").size == (side(8), HEADING + side(8))
    assert (workdir / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    assert (workdir / "saved_model" / "1" / "saved_model.pb").exists()


def test_the_saved_model_is_what_was_measured_and_so_is_the_checkpoint(home, tmp_path):
    trained = values(home / "run")
    saved = home / "run" / "saved_model"
    run("tfcoded.evaluate", f"--saved_model={saved}", f"--out={tmp_path / 'saved.json'}")
    arguments = f"--workdir={home / 'run'}", "--draws=1", "--images=7", "--split=train"
    run("tfcoded.evaluate", *arguments, f"--out={tmp_path / 'few.json'}")
    for name, value in values(tmp_path, "saved.json").items():
        assert value == pytest.approx(trained[name], rel=1e-4), name
    few = record(tmp_path, "few.json")
    assert (few["images"], few["draws"], few["split"], few["epochs"]) == (7, 1, "train", 2)
    assert few["metrics"].keys() == trained.keys()


def test_pictures_are_drawn_again(home, tmp_path):
    model = f"--saved_model={home / 'run' / 'saved_model' / '1'}"
    printed = run("tfcoded.generate", model, f"--out={tmp_path}", "--rows=2", "--columns=3")
    assert [pathlib.Path(line).name for line in printed.split()] == ["samples.png", "reconstructions.png"]
    sample, arrived = (Image.open(tmp_path / name) for name in ("samples.png", "reconstructions.png"))
    assert sample.size[0] >= side(3) and sample.size[1] == HEADING + side(2) and arrived.size[1] == HEADING + side(6)


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(home, tmp_path, monkeypatch):
    config = zoo.config("tiny", home / "zoo")
    save = EpochRecord.on_epoch_end

    def save_and_leave(self, epoch, logs=None):
        save(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EpochRecord, "on_epoch_end", save_and_leave)
        with pytest.raises(KeyboardInterrupt):
            loop.train(config, tmp_path / "run")
    assert sources.checkpoint_epochs(tmp_path / "run") == 1
    trained = loop.train(config, tmp_path / "run")
    assert trained.epochs == 2 and not (tmp_path / "run" / "metrics.json").exists()
    resumed, whole = (record(path, "history.json") for path in (tmp_path / "run", home / "run"))
    for name in set(whole) - {"seconds"}:
        np.testing.assert_allclose(resumed[name], whole[name], rtol=2e-5, err_msg=name)
    # The optimizer's state, the running power and the prior too: everything that there is. Weights move by 1e-3.
    readers = [
        tf.train.load_checkpoint(tf.train.latest_checkpoint(str(path / "checkpoints")))
        for path in (tmp_path / "run", home / "run")
    ]
    names = [name for name in readers[0].get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    assert any("power_sum" in name for name in names) and any("prior" in name for name in names)
    for name in names:
        if readers[0].get_tensor(name).dtype != np.object_:
            a, b = (reader.get_tensor(name) for reader in readers)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_separate_system_is_trained_in_two_parts(home, tmp_path):
    arguments = ["--model=bwlc_separate_snr1_smoke", "--override", f"dataset={home / 'images.npz'}", "--epochs=2"]
    weights = f"--initial_weights={home / 'run' / 'checkpoints' / 'epoch-2'}"
    error = refused("tfcoded.train", *arguments, weights, f"--workdir={tmp_path.parent / 'refused'}")
    assert "trained in parts" in error and "no common --initial_weights" in error
    arguments += ["--train_images=40", f"--workdir={tmp_path}"]
    printed = run("tfcoded.train", *arguments)
    assert "_smoke_source: source code alone" in printed and "_smoke_channel: channel code alone" in printed
    for part in ("source_vae", "channel_autoencoder"):
        assert record(tmp_path / part, "history.json")["epoch"] == [1, 2]
        assert not (tmp_path / part / "metrics.json").exists()
    content = record(tmp_path)
    names = {"mse", "psnr", "rate", "transmission_rate", "power"}
    assert content["metrics"].keys() == names and content["epochs"] == 2
    assert (tmp_path / "learning_curves.png").exists() and not (tmp_path / "samples.png").exists()
    # Twenty images fill two pairs of rows of eight: originals, and what arrived of them.
    assert Image.open(tmp_path / "reconstructions.png").size[1] == HEADING + side(4)
    assert "finished before" in run("tfcoded.train", *arguments)
    (tmp_path / "source_vae" / "history.json").unlink()  # as a message about a damaged one tells to
    assert "finished before" in run("tfcoded.train", *arguments)
    assert "saved_model/2" in run("export", f"--workdir={tmp_path}", "--storage=int4")
    refusal = "storage 'compensated' is not for bwlc_separate_snr1_smoke; choose one of float32, bfloat16, int8, int6, int5, int4"
    for command in ("export", "export.storages"):
        name = "--storages" if command == "export.storages" else "--storage"
        done = commands.run(command, f"--workdir={tmp_path}", f"{name}=compensated")
        assert done.returncode == 2 and refusal in done.stderr
    done = commands.run("tfcoded.train", "--model=bwlc_joint_snr1", "--storage=compensated")
    assert done.returncode == 2 and "storage 'compensated' is not for bwlc_joint_snr1" in done.stderr  # at once
    out = tmp_path.parent / "separate.json"
    run("tfcoded.evaluate", f"--workdir={tmp_path}", f"--out={out}")
    for name, value in values(out.parent, out.name).items():
        assert value == pytest.approx(content["metrics"][name]["value"], rel=1e-4), name


def test_a_channel_autoencoder_is_measured_beside_the_optimum(tmp_path):
    printed = run(
        "tfcoded.train",
        "--model=bwlc_channel_ae_snr1_smoke",
        "--epochs=1",
        "--train_images=64",
        f"--workdir={tmp_path}",
    )
    # A linear code reaches 0.5, and there it starts; sixteen steps with a large learning rate do not improve it.
    assert 0.495 < values(tmp_path)["mse"] < 0.56
    assert "no code with as many symbols is below 0.5" in printed
    assert {path.name for path in tmp_path.glob("*.png")} == {"learning_curves.png"}
    message = refused("tfcoded.generate", f"--workdir={tmp_path}", f"--out={tmp_path / 'pictures'}")
    assert "there is nothing to draw of bwlc_channel_ae_snr1_smoke" in message


def test_what_is_refused(home, tmp_path):
    trained = f"--workdir={home / 'run'}"
    wanted = "tiny is a communication system"
    message = refused("tfcoded.evaluate", trained, "--metrics=errors", f"--out={tmp_path / 'a.json'}")
    assert f"--metrics=errors: {wanted}, of which communication can be measured" in message
    for flag in ("--over=bsc:0.1", "--runs=3", "--likelihood_samples=20"):
        message = refused("tfcoded.evaluate", trained, flag, f"--out={tmp_path / 'a.json'}")
        assert message == f"error: {flag.partition('=')[0]} is for a Coded-DVAE; {wanted}"
    assert not (tmp_path / "a.json").exists()
    assert "--words is for" in refused("tfcoded.generate", trained, f"--out={tmp_path}", "--words=3")
    again = ("tfcoded.train", "--model=tiny", f"--zoo_dir={home / 'zoo'}", trained)
    assert "--words is for a Coded-DVAE" in refused(*again, "--words=3")
    # The learning rate of every step depends on how many there are.
    assert "training.epochs: 2 there, 3 here" in refused(*again, "--epochs=3")
    assert "beta: 0.1 there, 1.0 here" in refused(*again, "--override", "beta=1")
    coded = refused("tfcoded.train", "--model=coded_8_240", "--draws=3", f"--workdir={tmp_path}")
    assert coded == "error: --draws is for a communication system; coded_8_240 is a Coded-DVAE"


def test_a_training_becomes_a_zoo_entry(home, monkeypatch):
    zoo_dir, entry = home / "zoo", home / "zoo" / "tiny"
    small = ("--storage=int8", "--images=10", "--draws=1", "--train")
    printed = run("export.ship", f"--workdir={home / 'run'}", f"--zoo_dir={zoo_dir}", *small)
    assert str(entry) in printed
    assert {path.name for path in entry.iterdir()} == {
        *("1", "config.yaml", "metrics.json", "metrics_train.json", "history.json", "golden.npz"),
        *("README.md", "samples.png", "reconstructions.png", "learning_curves.png"),
    }
    assert verification.verify("tiny", zoo_dir).endswith("12 golden outputs, 9 signatures")
    model = zoo.load("tiny", zoo_dir)
    assert configuration.from_yaml(model.configuration().numpy().decode()) == zoo.config("tiny", zoo_dir)

    card = re.sub(" +", " ", (entry / "README.md").read_text())  # tables without what aligns their columns
    assert "An encoder and a decoder, trained together, that send images over a noisy channel" in card
    assert "Figure 5" in card and "at most 1.73 bits per symbol, 34.6 per image" in card
    assert "| symbols | 20 per image, 5 bands of 4 |" in card and "| mean squared error, 3 bands received | 0.0" in card
    assert "On 10 test images" in card and "On 10 training images" in card
    assert "What is shown when no band arrives: samples of the prior." in card
    # What the card tells the reader to do works.
    (program,) = re.findall(r"```python\n(import tensorflow as tf\n.*?)```", card, re.DOTALL)
    monkeypatch.chdir(home)
    names = {}
    exec(program, names)
    assert names["pictures"].shape == (5, 32, 32, 3) and names["sent"].shape == (5, 20)
    assert set(names["rates"]) == {"rate", "transmission_rate", "source_rate"}


def test_histories_of_parts_are_joined_by_epoch():
    first = {"epoch": [1, 2, 3], "mse": [3.0, 2.0, 1.0], "seconds": [1.0, 1.0, 2.0]}
    second = {"epoch": [2, 3], "mse": [5.0, 4.0], "val_mse": [7.0, 6.0], "seconds": [1.0, 1.0]}
    assert loop._side_by_side({"a": first, "b": second}) == {
        "epoch": [2, 3],
        "a_mse": [2.0, 1.0],
        "b_mse": [5.0, 4.0],
        "val_b_mse": [7.0, 6.0],
        "seconds": [2.0, 3.0],
    }
    assert loop._side_by_side({"a": first, "b": {}}) == {}
