"""The training command as a user meets it, with tiny networks on a few images."""

import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import commands
import numpy as np
import pytest
import tiny_networks

from tfcoded.evaluation.plan import runs_after

ROOT = pathlib.Path(__file__).resolve().parents[2]

CONFIG = """
name: tiny
dataset: {dataset}
likelihood: bernoulli
beta: 15.0
code: {{kind: repetition, information_bits: 4, code_bits: 20}}
network: {{image_shape: [28, 28, 1], encoder_width: 16, decoder_width: 16}}
training: {{epochs: 3, batch_size: 16, learning_rate: 0.01}}
"""


def train(*arguments, check=True, prepare="", cwd=ROOT):
    done = commands.run("tfcoded.train", *arguments, prepare=tiny_networks.PREPARE + prepare, cwd=cwd)
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def refused(*arguments, cwd=ROOT):
    """The error message of a command that must fail with one line and no traceback."""
    done = train(*arguments, check=False, cwd=cwd)
    assert done.returncode == 2, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A configuration file over forty dark images with bright squares, and its flags."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    images = np.uint8(255 * (rng.random([60, 4, 4, 1]) < 0.2)).repeat(7, 1).repeat(7, 2)
    np.savez(folder / "images.npz", train=images[:40], test=images[40:])
    (folder / "tiny.yaml").write_text(CONFIG.format(dataset=folder / "images.npz"))
    return ["--config", folder / "tiny.yaml", "--runs=2", "--words=20"]


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A run of three epochs without interruption, and what it printed."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    return workdir, train(*tiny, "--workdir", workdir)


def test_a_run_leaves_numbers_pictures_and_a_saved_model(finished):
    workdir, done = finished
    for name in ("learning_curves.png", "reconstructions.png", "samples.png"):
        assert (workdir / name).read_bytes().startswith(b"\x89PNG")
    content = json.loads((workdir / "metrics.json").read_text())
    assert {"psnr", "ssim", "elbo", "kl", "entropy", "ber", "wer", "ber_map", "wer_map"} <= set(content["metrics"])
    assert content["epochs"] == 3 and content["training"]["train_images"] == 40
    assert content["command"].startswith("python -m tfcoded.train --config")
    history = json.loads((workdir / "history.json").read_text())
    assert history["epoch"] == [1, 2, 3] and len(history["val_elbo"]) == 3
    assert (workdir / "saved_model" / "1" / "saved_model.pb").exists()
    assert list((workdir / "logs").rglob("events*"))
    assert "psnr" in done.stdout and "about" in done.stdout and str(workdir) in done.stdout


def test_the_bound_improves_and_the_last_one_is_measured(finished):
    workdir, _ = finished
    first, _, last = json.loads((workdir / "history.json").read_text())["val_elbo"]
    measured = json.loads((workdir / "metrics.json").read_text())["metrics"]["elbo"]["value"]
    assert last > first + 1.0
    assert abs(measured - last) < 0.2 * (last - first)  # same weights and images, other noise


def test_a_small_training_is_measured_on_few_images(tiny, tmp_path):
    message = refused(*tiny, "--images=21", "--workdir", tmp_path / "many")
    assert "cannot measure on the first 21 test images: images has 20 of them" in message
    assert not list((tmp_path / "many").glob("[!.]*"))
    config = tiny[:2]
    train(*config, "--words=20", "--epochs=1", "--train_images=8", "--noexport", "--workdir", tmp_path / "few")
    content = json.loads((tmp_path / "few" / "metrics.json").read_text())
    assert (content["images"], content["runs"], content["words"]) == (8, 2, 20)
    arguments = ["--runs=3", "--words=20", "--epochs=1", "--train_images=8", "--images=12", "--noexport"]
    train(*config, *arguments, "--workdir", tmp_path / "more")
    content = json.loads((tmp_path / "more" / "metrics.json").read_text())
    assert (content["images"], content["runs"]) == (12, 3)


@pytest.mark.parametrize("images, runs", [(None, 50), (1, 2), (2999, 2), (12800, 12), (50_000, 50), (60_000, 50)])
def test_error_rates_after_a_small_training_take_few_runs(images, runs):
    assert runs_after(images) == runs


def test_a_finished_run_is_left_alone(finished, tiny):
    workdir, _ = finished
    files = sorted(
        path for path in workdir.rglob("*") if path.is_file() and path.name not in ("run.json", "config.yaml")
    )
    before = [path.stat().st_mtime_ns for path in files]
    done = train(*tiny, "--workdir", workdir)
    assert "trained for 3 epochs already" in done.stdout and "finished before" in done.stdout
    assert "are kept as they are (python -m tfcoded.evaluate and python -m export, with --workdir=" in done.stdout
    assert "was trained for 3 epochs already, more than 1" in refused(*tiny, "--workdir", workdir, "--epochs=1")
    assert "epochs: 3" in (workdir / "config.yaml").read_text()
    assert [path.stat().st_mtime_ns for path in files] == before
    assert not (workdir / "saved_model" / "2").exists()


def test_a_workdir_in_use_is_refused(finished, tiny):
    workdir, _ = finished
    with (workdir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is training in" in refused(*tiny, "--workdir", workdir, "--epochs=4")


KILLED_IN_THE_SECOND_EPOCH = """
import os, signal
from tfcoded.runs.checkpoints import Checkpoints
save = Checkpoints.save
Checkpoints.save = lambda self, epoch: save(self, epoch) if epoch == 1 else os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_goes_on_as_if_nothing_had_happened(finished, tiny, tmp_path):
    workdir = tmp_path / "killed"
    killed = train(*tiny, "--workdir", workdir, check=False, prepare=KILLED_IN_THE_SECOND_EPOCH)
    assert killed.returncode == -signal.SIGKILL
    # The worst moment: the history is one epoch ahead of the checkpoint.
    assert json.loads((workdir / "history.json").read_text())["epoch"] == [1, 2]
    done = train(*tiny, "--workdir", workdir)
    assert "going on after epoch 1 of 3" in done.stdout
    resumed, whole = (json.loads((path / "history.json").read_text()) for path in (workdir, finished[0]))
    for name in set(whole) - {"seconds"}:
        # Other noise or another order changes the bound by 1e-4 and more (tests/models); threads may change the order
        # of a few additions.
        np.testing.assert_allclose(resumed[name], whole[name], rtol=5e-6, err_msg=name)
    again, once = (json.loads((path / "metrics.json").read_text())["metrics"] for path in (workdir, finished[0]))
    assert again["psnr"]["value"] == pytest.approx(once["psnr"]["value"], rel=1e-3)


def test_more_epochs_go_on_and_other_settings_are_refused(finished, tiny, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    message = refused(*tiny, "--workdir", workdir, "--override", "beta=10")
    assert "holds another run (beta: 15.0 there, 10.0 here)" in message
    assert "seed: 0 there, 3 here" in refused(*tiny, "--workdir", workdir, "--seed=3")
    done = train(*tiny, "--workdir", workdir, "--epochs=4", "--noexport")
    assert "going on after epoch 3 of 4" in done.stdout
    history = json.loads((workdir / "history.json").read_text())
    assert history["epoch"] == [1, 2, 3, 4]
    assert not (workdir / "saved_model" / "2").exists()


@pytest.mark.parametrize(
    "given, exactly",
    [
        ("checkpoints/epoch-3", "checkpoints/epoch-3"),
        ("", "checkpoints/epoch-3"),
        ("checkpoints", "checkpoints/epoch-3"),
        ("saved_model", "saved_model/1"),
        ("saved_model/1", "saved_model/1"),
    ],
)
def test_a_training_starts_from_the_weights_of_another(finished, tiny, tmp_path, given, exactly):
    other, _ = finished
    source = other / given
    flags = [*tiny, "--noexport", "--epochs=1", "--override=training.learning_rate=1e-12"]
    done = train(*flags, f"--initial_weights={source}", "--workdir", tmp_path / "run")
    assert f"starting from the weights of {other / exactly}\n" in done.stdout
    assert json.loads((tmp_path / "run" / "run.json").read_text())["initial_weights"] == str(source)
    # Nothing was learnt, so what the other run had reached is what is measured; from random weights it is far away.
    before, after = (
        json.loads((folder / "metrics.json").read_text())["metrics"] for folder in (other, tmp_path / "run")
    )
    for name in ("psnr", "kl", "entropy"):
        assert after[name]["value"] == pytest.approx(before[name]["value"], rel=1e-4)
    # The optimizer is new: its first epoch is counted from zero, not from the other run's third.
    assert json.loads((tmp_path / "run" / "history.json").read_text())["epoch"] == [1]

    error = refused(*flags, "--workdir", tmp_path / "run")  # would go on as something else
    assert f"initial_weights: {source} there, None here" in error


def test_a_copy_of_an_entry_is_no_training_of_the_entry(finished, tiny, tmp_path):
    """As a card says: copy config.yaml, change the data set, start from the shipped weights."""
    entry = tmp_path / "zoo" / "tiny"
    entry.mkdir(parents=True)
    text = tiny[1].read_text() + "published: {psnr: 18.5}\n"
    (entry / "config.yaml").write_text(text)
    images = np.load(tiny[1].parent / "images.npz")
    np.savez(tmp_path / "mine.npz", train=images["test"], test=images["train"])
    (tmp_path / "mine.yaml").write_text(
        text.replace("images.npz", "mine.npz").replace(str(tiny[1].parent), str(tmp_path))
    )
    here = {"cwd": tmp_path}
    more = ("--noexport", "--epochs=1", "--runs=2", "--words=20", f"--zoo_dir={tmp_path / 'zoo'}")
    copied = ("--config=mine.yaml", *more)
    initial = f"--initial_weights={finished[0]}"
    error = refused(*copied, initial, **here)
    assert "runs/tiny is for trainings of the zoo's entry tiny, and this is another (it starts from" in error
    assert (
        "mine.npz, not" in error and "give it a name of its own, such as --override name=mine, or a --workdir" in error
    )
    assert "(dataset" in refused(*copied, **here)
    assert "(it starts from" in refused("--model=tiny", *more, initial, **here)
    assert not (tmp_path / "runs").exists()

    def published(workdir):
        content = json.loads((workdir / "metrics.json").read_text())
        return content["published"], "published" in (workdir / "config.yaml").read_text()

    done = train(*copied, initial, "--override", "name=mine", **here)
    assert "published" not in done.stdout and published(tmp_path / "runs" / "mine") == ({}, False)
    done = train("--model=tiny", *more, initial, "--workdir=further", **here)
    assert "published" not in done.stdout and published(tmp_path / "further") == ({}, False)
    done = train("--model=tiny", *more, **here)
    assert "published" in done.stdout and published(tmp_path / "runs" / "tiny") == ({"psnr": 18.5}, True)


def test_without_initial_weights_a_training_starts_from_random_ones(finished, tiny, tmp_path):
    flags = [*tiny, "--noexport", "--epochs=1", "--override=training.learning_rate=1e-12"]
    train(*flags, "--workdir", tmp_path / "random")
    before, random = (
        json.loads((folder / "metrics.json").read_text())["metrics"] for folder in (finished[0], tmp_path / "random")
    )
    assert random["elbo"]["value"] < before["elbo"]["value"] - 5


def test_initial_weights_that_do_not_fit(finished, tiny, tmp_path):
    other, _ = finished
    given = other / "checkpoints" / "epoch-9"
    error = refused(*tiny, f"--initial_weights={given}", "--workdir", tmp_path / "a")
    assert f"no checkpoint {given}" in error and "epoch-2, epoch-3" in error
    error = refused(*tiny, f"--initial_weights={tmp_path}", "--workdir", tmp_path / "a")
    assert f"no checkpoint {tmp_path}; expected one such as RUN/checkpoints/epoch-20" in error
    error = refused(*tiny, f"--initial_weights={tmp_path}/nothing", "--workdir", tmp_path / "b")
    assert "expected one such as RUN/checkpoints/epoch-20, or the folder of a SavedModel" in error
    narrow, wide = "--override=network.encoder_width=8", "--override=network.image_shape=[32, 32, 3]"
    source = other / "checkpoints" / "epoch-3"
    error = refused(*tiny, f"--initial_weights={source}", narrow, "--workdir", tmp_path / "c")
    assert f"cannot restore checkpoint {source}: it belongs to a model of other sizes" in error
    error = refused(*tiny, f"--initial_weights={source}", wide, "--workdir", tmp_path / "c")
    assert "damaged" not in error
    source = other / "saved_model"
    error = refused(*tiny, f"--initial_weights={source}", narrow, "--workdir", tmp_path / "d")
    assert f"the SavedModel in {source}/1 is one of other networks: it has encoder." in error
    assert "of shape (784, 16), needed is (784, 8)" in error
    error = refused(*tiny, f"--initial_weights={ROOT}/zoo/uncoded_8", "--workdir", tmp_path / "d")
    assert "is one of other networks: it has no encoder." in error
    error = refused(*tiny, f"--initial_weights={ROOT}/zoo/classifier_mnist", "--workdir", tmp_path / "d")
    assert "holds a SavedModel that tfcoded did not export" in error
    assert not any((tmp_path / name / "run.json").exists() for name in "abcd")  # so the corrected command may use them


def test_a_damaged_checkpoint_is_named(finished, tiny, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    data = next(workdir.glob("checkpoints/epoch-3.data*"))
    data.write_bytes(data.read_bytes()[:1000])
    message = refused(*tiny, "--workdir", workdir, "--epochs=4")
    assert "cannot restore checkpoint" in message and "epoch-3" in message and "delete epoch-3.*" in message
    # The state file alone is gone: nothing is overwritten either.
    state = workdir / "checkpoints" / "checkpoint"
    content = state.read_text()
    state.unlink()
    assert "is missing or damaged, but" in refused(*tiny, "--workdir", workdir, "--epochs=4")
    state.write_text(content)
    (workdir / "checkpoints" / "epoch-4_temp").mkdir()  # a save that was killed
    # The advice works.
    for path in workdir.glob("checkpoints/epoch-3.*"):
        path.unlink()
    state.write_text('model_checkpoint_path: "epoch-2"\n')
    assert "going on after epoch 2 of 3" in train(*tiny, "--workdir", workdir, "--noexport").stdout
    assert not (workdir / "checkpoints" / "epoch-4_temp").exists()


def test_a_run_without_its_checkpoints_or_with_other_images(finished, tiny, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    with np.load(tiny[1].parent / "images.npz") as arrays:
        np.savez(tmp_path / "images.npz", **(dict(arrays) | {"train": 255 - arrays["train"]}))
    there, here = (str(folder / "images.npz") for folder in (tiny[1].parent, tmp_path))
    content = (workdir / "config.yaml").read_text()
    (workdir / "config.yaml").write_text(content.replace(there, here))  # as if that path had held the others
    message = refused(*tiny, "--workdir", workdir, f"--override=dataset={here}", "--epochs=4")
    assert message.startswith(f"error: {workdir} holds another run (the training images are others than there)")
    (workdir / "config.yaml").write_text(content)
    shutil.rmtree(workdir / "checkpoints")
    message = refused(*tiny, "--workdir", workdir)
    assert f"{workdir} was trained for 3 epochs, but its checkpoints are missing" in message
    assert not (workdir / "checkpoints").exists() and (workdir / "metrics.json").exists()


INTERRUPTED_IN_THE_MEASUREMENT = """
from tfcoded.evaluation import measurement
def interrupted(*arguments, **options): raise KeyboardInterrupt
measurement.measure = interrupted
"""


def test_an_interrupted_final_measurement_exports_once(finished, tiny, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    (workdir / "metrics.json").unlink()
    shutil.rmtree(workdir / "saved_model")
    (workdir / "saved_model" / ".exporting-killed" / "new").mkdir(parents=True)
    for _ in range(2):
        done = train(*tiny, "--workdir", workdir, check=False, prepare=INTERRUPTED_IN_THE_MEASUREMENT)
        assert done.returncode == 130 and (workdir / ".exported.json").exists()
    train(*tiny, "--workdir", workdir)
    assert (workdir / "metrics.json").exists() and not (workdir / ".exported.json").exists()
    assert [path.name for path in (workdir / "saved_model").iterdir()] == ["1"]


WORKER = f"{tiny_networks.PREPARE}import runpy; runpy.run_module('tfcoded.train', run_name='__main__', alter_sys=True)"


def two_workers(first, second):
    """Two trainings that are workers of one cluster, by their arguments: exit status, output and errors of each."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("localhost", 0))
        hosts = [f"localhost:{probe.getsockname()[1]}" for probe in (one, other)]
    workers = []
    for index, arguments in enumerate((first, second)):
        cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(cluster)}
        command = [sys.executable, "-c", WORKER, *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        workers.append(subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes))
    outputs = [worker.communicate(timeout=300) for worker in workers]
    return [(worker.returncode, *output) for worker, output in zip(workers, outputs)]


@pytest.mark.slow
def test_two_workers_with_different_settings(tiny, tmp_path):
    arguments = (*tiny, "--workdir", tmp_path / "run")
    for status, _, errors in two_workers(arguments, (*arguments, "--seed=1", "--override=training.l2=0")):
        expected = "workers 0 and 1 have other settings (training.l2: 0.0001 and 0.0; seed: 0 and 1); give all the same"
        assert status == 2 and [line for line in errors.splitlines() if line.startswith(f"error: {expected}")], errors
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.slow
def test_two_workers_train_one_model(finished, tiny, tmp_path):
    workdir = tmp_path / "run"
    outputs = []
    for status, output, errors in two_workers(*[(*tiny, "--workdir", workdir)] * 2):
        assert status == 0, errors[-3000:]
        outputs.append(output)
    assert "2 device(s)" in outputs[0] and "epoch" not in outputs[1]
    together, alone = (json.loads((path / "history.json").read_text()) for path in (workdir, finished[0]))
    # Same weights, order of images and steps, other noise: the bound rises alike.
    rise = [run["elbo"][-1] - run["elbo"][0] for run in (together, alone)]
    assert 0.7 * rise[1] < rise[0] < 1.4 * rise[1] and rise[1] > 5.0
    assert together["elbo"] != alone["elbo"]
    assert (workdir / "saved_model" / "1" / "saved_model.pb").exists()


def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path):
    message = refused(*tiny, "--workdir", tmp_path / "run", "--override", "training.learning_rate=1e30")
    assert "is not finite" in message and "learning_rate" in message
    assert not list(tmp_path.glob("run/checkpoints/epoch-*"))


def test_wrong_image_shape(tiny, tmp_path):
    np.save(tmp_path / "colour.npy", np.zeros((20, 32, 32, 3), np.uint8))
    message = refused(*tiny, "--workdir", tmp_path / "run", "--override", f"dataset={tmp_path / 'colour.npy'}")
    assert "32x32x3" in message and "28x28x1" in message


def test_a_random_code_with_equal_codewords(tmp_path):
    message = refused("--model=random_5_50", "--override", "code.code_bits=5", "--workdir", tmp_path / "run")
    assert "random_5_50: seed 0 gives two equal codewords of 5 bits; choose another seed" in message
    assert not list((tmp_path / "run").iterdir())


def test_mistakes_are_found_before_anything_is_loaded(tmp_path):
    message = refused("--model=coded_10_30", "--workdir", tmp_path)
    assert "coded_10_300" in message
    assert "epochs" in refused("--model=coded_10_300", "--override", "training.epoch=3", "--workdir", tmp_path)
    assert "--model" in refused("--workdir", tmp_path)
    assert "unknown model ''" in refused("--model=", "--workdir", tmp_path)
    assert "strateg" in refused("--model=coded_10_300", "--strategy=two")
    assert "unexpected argument 'coded_10_300'" in refused("coded_10_300")
    assert not list(tmp_path.iterdir())
    message = refused("--model=coded_10_300", "--override=dataset=fashion_mnits", "--workdir", tmp_path / "run")
    assert "unknown data set 'fashion_mnits', neither a known name nor an existing path" in message
    assert "; did you mean 'fashion_mnist'? expected one of " in message and " fashion_mnist, mnist, " in message
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    assert "not empty and holds no training run" in refused(*tiny, "--workdir", tmp_path)


def test_a_workdir_that_cannot_be_written(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write into the folder" in refused(*tiny, "--workdir", tmp_path / "file" / "run")


def test_a_read_only_workdir(tiny, tmp_path):
    tmp_path.chmod(0o500)
    drop_dac_override = lambda: ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # else root could write all the same
    command = [sys.executable, "-m", "tfcoded.train", *map(str, tiny), f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=drop_dac_override)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"error: cannot write into the folder {tmp_path / 'run'}: Permission denied" in done.stderr


def test_help_is_quick_and_needs_no_tensorflow():
    script = """
import runpy, sys
sys.argv = ["train", "--help"]
try:
    runpy.run_module("tfcoded.train", run_name="__main__")
except SystemExit:
    pass
assert "tensorflow" not in sys.modules, "TensorFlow was imported"
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--epochs" in done.stdout and "--strategy" in done.stdout
