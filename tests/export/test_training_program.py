"""Programs of training, with tiny networks: the same training as `model.fit`, interrupted and not."""

import errno
import fcntl
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import commands
import keras
import numpy as np
import pytest
import shipped
import small_systems
import tensorflow as tf
import tiny_networks

from export.pjrt import __main__ as runner, images as image_files, imported_run, philox, program_writer, storage
from export.pjrt.program import Programs
from export.pjrt.training_step import TrainingStep
from tfcoded import config as configuration, data, models
from tfcoded.utils.errors import UserError
from tfcoded.zoo.restoring import load_workdir, restored_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 3
IMAGES, EPOCHS, STEPS = 40, 3, 9  # two batches and a half in every epoch


class TensorFlowDevice:
    """In place of `export.pjrt.program.Device`: programs are known by their digests and run by TensorFlow's XLA."""

    def __init__(self, config, folder):
        manifest = Programs(folder).manifest
        step = TrainingStep(models.build(config, SEED, STEPS), models.optimizer(config, STEPS))
        counts = {"train": [len(step.variables), step.trained, step.trained], "evaluate": [len(step.variables)]}
        functions = {"train": step.train(16), "tail": step.train(8), "evaluate": step.evaluate(16)}
        self._functions = {
            facts["sha256"]: self._flat(functions[name], counts.get(name, counts["train"]))
            for name, facts in manifest["programs"].items()
        }

    @staticmethod
    def _flat(function, counts):
        function = tf.function(function, jit_compile=True, autograph=False)

        def call(tensors):
            tensors = iter(tensors)
            lists = [list(itertools.islice(tensors, count)) for count in counts]
            return tf.nest.flatten(function(*lists, *tensors))

        return call

    def put(self, array):
        return tf.convert_to_tensor(array)

    def facts(self):
        return {"device": "test", "platform": "cpu", "platform_version": "", "jax": "none"}

    def compiled(self, hlo):
        return self._functions[hashlib.sha256(hlo).hexdigest()]


class Training:
    """A training of three epochs of two and a half batches, written as programs and made with `model.fit`."""

    def __init__(self, folder, config):
        self.config = config
        self.dataset = data.load(config.dataset)
        described = program_writer.ImageFiles(folder, images_mb=1).described(config, IMAGES)
        self.programs = program_writer.write(config, folder, described, seed=SEED)
        self.images = folder / "images"
        self.device = TensorFlowDevice(config, self.programs)
        self.history = self._fit()

    def _fit(self):
        batch_size = self.config.training.batch_size
        self.model = models.build(self.config, SEED, STEPS)
        self.model.compile(models.optimizer(self.config, STEPS), jit_compile=False)
        self.initial = [weight.numpy() for weight in self.model.weights]
        self.after_one_epoch = []

        def keep(epoch, logs):
            self.after_one_epoch = self.after_one_epoch or [weight.numpy() for weight in self.model.weights]

        images = self.dataset.train_images[:IMAGES]
        return self.model.fit(
            data.training_pipeline(images, batch_size, SEED, 0, EPOCHS),
            epochs=EPOCHS,
            steps_per_epoch=STEPS // EPOCHS,
            validation_data=data.test_pipeline(self.dataset.test_images, batch_size),
            verbose=0,
            shuffle=False,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
        ).history

    def weights(self, values):
        """`values`, in the order of `model.weights`, in the order of the programs."""
        values = {variable.path: value for variable, value in zip(self.model.weights, values, strict=True)}
        return [values[variable.path] for variable in TrainingStep(self.model, self.model.optimizer).variables]

    def run(self, workdir, *arguments):
        arguments = [self.programs, "--workdir", workdir, "--images", self.images, *arguments]
        return runner.main([str(argument) for argument in arguments], self.device)


def tiny_training(folder):
    with pytest.MonkeyPatch.context() as patch:
        tiny_networks.replace_networks(patch)
        yield Training(folder, tiny_networks.settings(folder))


def system_training(name):
    """A communication system of `small_systems`, trained on random images (or draws) as the zoo's are."""

    def training(folder):
        config = small_systems.configuration(name)
        changes = [f"training.epochs={EPOCHS}", "training.batch_size=16"]
        if config.system != "channel_autoencoder":
            images = small_systems.images(config, IMAGES + 20)
            np.savez(folder / "images.npz", train=images[:IMAGES], test=images[IMAGES:])
            changes += [f"dataset={folder / 'images.npz'}", "training.flip=true", "training.warm_up=0.4"]
        yield Training(folder, configuration.override(config, changes))

    return training


TRAININGS = {"tiny": tiny_training, **{name: system_training(name) for name in ("bands", "erasing", "channel")}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    yield from tiny_training(tmp_path_factory.mktemp("tiny"))


# XLA compiles systems with bands and with erasures for a minute each; TensorFlow alone traces the former for half
# of one.
SOME = [pytest.param(name, marks=pytest.mark.slow) if name == "bands" else name for name in TRAININGS]
COMPILED = [pytest.param(name, marks=pytest.mark.slow) if name in ("bands", "erasing") else name for name in TRAININGS]


@pytest.fixture(scope="module", params=SOME)
def training(request, tmp_path_factory):
    if request.param == "tiny":
        yield request.getfixturevalue("tiny")
    else:
        yield from TRAININGS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The work directory of a run of the programs without interruption."""
    workdir = tmp_path_factory.mktemp("trained")
    assert tiny.run(workdir, "--part_mb=0.05") == 0
    return workdir / "tiny"


def without_time(history):
    return {name: values for name, values in history.items() if name != "seconds"}


def assert_like(history, weights, training, expected_history, expected_weights):
    """Within what another rounding makes of a few steps.

    Of the Coded-DVAE every weight, which moves by up to 9e-4. In the systems Adam moves weights whose gradients are
    nothing but rounding (the scale of what is sent at a given power, for one) as far as any other, and only the way of
    all weights together is compared. Largest differences seen there: 2.4e-4 of a metric, 3.4e-3 of the way.
    """
    tight = not hasattr(training.config, "system")
    for name, expected in expected_history.items():
        np.testing.assert_allclose(history[name], expected, rtol=1e-5 if tight else 1e-3, atol=1e-6, err_msg=name)
    found, expected, start = (
        np.concatenate([np.ravel(value) for value in values])
        for values in (weights, expected_weights, training.initial)
    )
    if tight:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.linalg.norm(found - expected) <= (1e-3 if tight else 1e-2) * np.linalg.norm(expected - start)


def assert_like_fit(history, weights, training):
    assert set(history) == {"epoch", "seconds", *training.history}
    names = [variable.path.split("/", 1)[1].replace("/", ".") for variable in training.model.weights]
    fitted = [variable.numpy() for variable in training.model.weights]
    if not hasattr(training.config, "system"):
        for name, expected in training.history.items():
            np.testing.assert_allclose(history[name], expected, rtol=3e-6, atol=1e-6, err_msg=name)
    assert_like(history, [weights[name] for name in names], training, training.history, fitted)


def test_without_xla_the_training_is_that_of_fit_to_the_last_digits(training):
    step = TrainingStep(training.model, training.model.optimizer)
    order = philox.order(IMAGES, data.seed_pair(SEED), 0)
    weights = [tf.constant(weight) for weight in training.weights(training.initial)]
    zeros = [tf.zeros_like(weight) for weight in weights[: step.trained]]
    state = weights, zeros, zeros, tf.constant(0)
    images = training.dataset.train_images[:IMAGES]
    *state, sums = step.train(16)(*state, images, order, 0, 2)
    weights, *_, iterations, more = step.train(8)(*state, images, order, 32, 1)
    assert iterations == 3
    values = dict(zip(step.metric_names, (sums + more).numpy() / IMAGES, strict=True))
    expected = {name: training.history[name][0] for name in values}
    weights = dict(zip([variable.path for variable in step.variables], weights, strict=True))
    weights = [weights[variable.path].numpy() for variable in training.model.weights]
    assert_like(values, weights, training, expected, training.after_one_epoch)


def test_a_test_set_may_be_smaller_than_a_batch(tiny):
    step = TrainingStep(tiny.model, tiny.model.optimizer)
    weights = [tf.constant(weight) for weight in tiny.weights(tiny.initial)]
    arguments = weights, tf.constant(tiny.dataset.test_images[:5])
    sums, expected = (
        tf.function(step.evaluate(size), jit_compile=True, autograph=False)(*arguments) for size in (16, 5)
    )
    np.testing.assert_allclose(sums, expected, rtol=1e-6)


@pytest.mark.parametrize("training", COMPILED, indirect=True, scope="module")
def test_the_programs_train_as_fit_does(training, tmp_path):
    assert training.run(tmp_path, "--part_mb=0.05") == 0
    name = training.config.name
    arrays, facts = storage.read_result(tmp_path / name, name)
    assert facts["epochs"] == EPOCHS and facts["iterations"] == STEPS
    assert_like_fit(facts["history"], storage.restored(arrays), training)
    assert facts["history"] == json.loads((tmp_path / name / "history.json").read_text())


def test_the_branches_divergences_are_told_apart(trained):
    history = json.loads((trained / "history.json").read_text())
    assert history["kl_m1"] != history["kl_m2"]


def test_a_result_that_was_written_in_part_is_written_again(tiny, trained, tmp_path, capsys):
    folder = tmp_path / "tiny"
    shutil.copytree(trained, folder)
    lost = sorted(folder.glob("*.part"))[-1]
    content = lost.read_bytes()
    lost.unlink()
    assert tiny.run(tmp_path, "--part_mb=0.05") == 0
    assert lost.read_bytes() == content and "finished before" not in capsys.readouterr().out
    assert tiny.run(tmp_path, "--part_mb=0.05") == 0
    assert "finished before" in capsys.readouterr().out


def test_another_storage_is_written_without_compiling(tiny, trained, tmp_path, monkeypatch, capsys):
    shutil.copytree(trained, tmp_path / "tiny")
    elsewhere = {"device": "other", "platform": "cpu", "platform_version": "", "jax": "none"}
    monkeypatch.setattr(tiny.device, "facts", lambda: elsewhere)
    monkeypatch.setattr(tiny.device, "compiled", None)
    for kind in ("int8", "bfloat16"):
        assert tiny.run(tmp_path, f"--weights={kind}") == 0
        arrays, facts = storage.read_result(tmp_path / "tiny", "tiny")
        assert (facts["storage"], facts["epochs"], facts["device"]) == (kind, EPOCHS, "test")
        weights = storage.restored(storage.read_result(trained, "tiny")[0])
        assert arrays.keys() == storage.rounded(weights, kind).keys()
        assert "finished before" not in capsys.readouterr().out
    assert tiny.run(tmp_path, "--weights=bfloat16") == 0
    assert "finished before" in capsys.readouterr().out


def test_a_model_that_another_process_trains_is_left_to_it(tiny, tmp_path, capsys):
    (tmp_path / "tiny").mkdir()
    with (tmp_path / "tiny" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert tiny.run(tmp_path) == 0
    assert "tiny: skipped, another process trains it" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == [".lock"]


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tiny, trained, tmp_path, capsys, monkeypatch):
    assert tiny.run(tmp_path, "--epochs=1") == 0
    with monkeypatch.context() as patch:
        patch.setattr(runner._Schedule, "_over", lambda schedule, ahead=0.0: ahead > 0)  # time for one epoch
        assert tiny.run(tmp_path) == 0
    assert json.loads((tmp_path / "tiny" / "history.json").read_text())["epoch"] == [1, 2]
    assert storage.written_result(tmp_path / "tiny", "tiny") == (2, "float32")
    assert tiny.run(tmp_path, "--time_budget=1") == 0  # not even time to begin
    assert tiny.run(tmp_path) == 0
    assert "stopped after epoch 2" in capsys.readouterr().out
    (whole, facts), (resumed, facts_resumed) = (
        storage.read_checkpoint(folder / "checkpoint.npz") for folder in (trained, tmp_path / "tiny")
    )
    assert without_time(facts["history"]) == without_time(facts_resumed["history"])
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    assert tiny.run(tmp_path) == 0
    assert "finished before, 3 epochs" in capsys.readouterr().out


@pytest.mark.parametrize("exact", [True, False])
def test_the_result_becomes_a_work_directory(tiny, trained, tmp_path, exact):
    source = trained / "checkpoint.npz" if exact else trained
    arguments = tiny.programs / "manifest.json", tiny.config, source, tmp_path / "run"
    assert imported_run.write_workdir(*arguments) == (3, exact)
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == {
        "seed": SEED,
        "train_images": 40,
        "dtype_policy": "float32",
        "replicas": 1,
        "train_images_sha256": data.digest(tiny.dataset.train_images[:IMAGES]),
        "test_images_sha256": data.digest(tiny.dataset.test_images),
    }
    model, config = restored_model(tmp_path / "run")
    assert config == tiny.config
    assert_like_fit(
        json.loads((tmp_path / "run" / "history.json").read_text()),
        {v.path.split("/", 1)[1].replace("/", "."): v.numpy() for v in model.weights},
        tiny,
    )
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(tmp_path / "run" / "checkpoints")))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    moments = [value for name, value in values.items() if "_momentum" in name]
    assert len(moments) == len(model.weights) and all(np.any(moment) == exact for moment in moments)
    assert [values[name] for name in values if "iteration" in name] == [9]
    codec = load_workdir(tmp_path / "run")
    assert codec.encode(np.zeros([1, 28, 28, 1], np.uint8))["bits"].shape == [1, 4]
    with pytest.raises(UserError, match="at least 3 epochs"):
        imported_run.write_workdir(*arguments)


def test_the_import_command_prints_what_goes_on_with_the_run(tiny, trained, tmp_path):
    workdir = tmp_path / "my run"
    arguments = f"--program={tiny.programs}", f"--weights={trained}", f"--workdir={workdir}"
    done = shipped.run_tiny("export.import_weights", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert shlex.split(done.stdout.partition("measure and export it:  ")[2]) == [
        "python",
        "-m",
        "tfcoded.train",
        f"--config={workdir}/config.yaml",
        f"--workdir={workdir}",
        "--epochs=3",
        f"--seed={SEED}",
        f"--train_images={IMAGES}",
        "--dtype_policy=float32",
        "--strategy=one",
    ]


def test_what_cannot_be_imported(tiny, trained, tmp_path):
    manifest = json.loads((tiny.programs / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"run": manifest["run"] | {"seed": 4}}))
    with pytest.raises(UserError, match="not trained by the programs"):
        imported_run.write_workdir(tmp_path / "manifest.json", tiny.config, trained, tmp_path / "run")
    assert tiny.run(tmp_path / "trial", "--steps=1", "--epochs=1") == 0
    with pytest.raises(UserError, match="trial of 1 steps"):
        imported_run.write_workdir(
            tiny.programs / "manifest.json", tiny.config, tmp_path / "trial" / "tiny", tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_a_run_that_breaks_stops_and_keeps_its_checkpoint(tiny, tmp_path, capsys):
    assert tiny.run(tmp_path, "--epochs=1") == 0
    file = tmp_path / "tiny" / "checkpoint.npz"
    arrays, facts = storage.read_checkpoint(file)
    arrays["float32/decoder.decoder_head.bias"] = np.full(784, np.inf, np.float32)
    storage.write_checkpoint(file, arrays, facts)
    before = file.read_bytes()
    for _ in range(2):
        assert tiny.run(tmp_path) == 1
        assert file.read_bytes() == before
    captured = capsys.readouterr()
    assert captured.err.count("is not finite in epoch 2") == 1 and "holds epoch 1" in captured.err
    assert "skipped, it failed before" in captured.out


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing or damaged"),
        (lambda folder: (folder / "manifest.json").write_text('{"format": 2}'), "manifest.json lacks name, epochs, "),
        (
            lambda folder: (folder / "train.hlo.xz").write_bytes((folder / "tail.hlo.xz").read_bytes()),
            "train.hlo.xz is not the program",
        ),
        (lambda folder: (folder / "tail.hlo.xz").write_bytes(b"x"), "tail.hlo.xz is missing or damaged"),
    ],
)
def test_damaged_programs(tiny, tmp_path, damage, message, capsys):
    folder = tmp_path / "tiny"
    shutil.copytree(tiny.programs, folder)
    damage(folder)
    arguments = [str(folder), f"--workdir={tmp_path / 'run'}", f"--images={tiny.images}"]
    assert runner.main(arguments, tiny.device) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--epochs=0", "argument --epochs: invalid positive int value: '0'; --help lists the options"),
        ("--part_mb=inf", "argument --part_mb: inf is not between 0.001 and 1e6; --help lists the options"),
        ("--part_mb=0", "argument --part_mb: 0 is not between 0.001 and 1e6; --help lists the options"),
        ("--epoch_count=3", "unrecognized arguments: --epoch_count=3; --help lists the options"),
        (f"--cache={__file__}", f"{__file__} is a file; expected a folder"),
    ],
)
def test_a_mistaken_option_is_told_in_one_line(argument, message, capsys):
    assert runner.main(["programs", argument]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_other_images_are_refused_before_anything_is_compiled(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runner._Schedule, "_start_compiling", None)
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / "images" / "a.npz", train=np.zeros([40, 28, 28, 1], np.uint8))
    assert tiny.run(tmp_path / "run", "--images", tmp_path) == 2
    assert "holds other images" in capsys.readouterr().err
    assert tiny.run(tmp_path / "run", "--images", tmp_path / "none") == 2
    assert "cannot read the images" in capsys.readouterr().err


def test_programs_are_replaced_and_archives_left_out_only_on_request(tmp_path):
    manifest = tmp_path / "uncoded_8" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    arguments = ["export.training_program", "--model=coded_8_240,uncoded_8", f"--out={tmp_path}"]
    absent = f"--archives={tmp_path}"
    for more, message in (
        ([absent], "already holds programs of uncoded_8; give another --out or --overwrite"),
        ([absent, "--overwrite"], f"--archives: {tmp_path} lacks train-images-idx3-ubyte.gz"),
    ):
        done = commands.run(*arguments, *more)
        assert done.returncode == 2 and message in done.stderr
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert manifest.read_text() == "{}" and list(tmp_path.iterdir()) == [manifest.parent]


_IDX = gzip.compress(np.array([0x803, 9, 28, 28], ">i4").tobytes())


@pytest.mark.parametrize(
    "content",
    [b"no gzip", _IDX, _IDX[:9], gzip.compress(b"short"), gzip.compress(bytes(16))],
    ids=["other", "no_images", "cut", "no_header", "no_idx"],
)
def test_a_damaged_archive_is_named(content, tiny, tmp_path, monkeypatch):
    for name in image_files.ARCHIVES.values():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(data, "load", lambda *arguments: tiny.dataset)
    with pytest.raises(UserError, match=f"cannot read {tmp_path}/train-images-idx3-ubyte.gz: "):
        program_writer.ImageFiles(tmp_path / "out", archives=tmp_path).described(tiny.config)


def test_a_full_disk_is_told_in_one_line(tiny, tmp_path, monkeypatch, capsys):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert tiny.run(tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: No space left on device: {tmp_path}") and error.endswith("history.json\n")
    monkeypatch.setattr(runner._Schedule, "run", lambda schedule: (tmp_path / "none").read_bytes())
    assert tiny.run(tmp_path) == 2
    assert capsys.readouterr().err == f"error: No such file or directory: {tmp_path}/none\n"


def test_archives_are_read_in_the_order_of_the_training(tmp_path):
    rng = np.random.default_rng(0)
    stored = {part: rng.integers(0, 256, (count, 28, 28, 1), np.uint8) for part, count in (("train", 9), ("test", 4))}
    for part, name in (("train", "train"), ("test", "t10k")):
        header = np.array([0x803, len(stored[part]), 28, 28], ">i4").tobytes()
        folder = tmp_path / "data" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(header + stored[part].tobytes())
    shuffled = {part: images[rng.permutation(len(images))] for part, images in stored.items()}
    dataset = data.Dataset("mine", shuffled["train"], None, shuffled["test"], None)
    writer = program_writer.ImageFiles(tmp_path, archives=folder)
    described = writer._write(dataset)
    facts = {
        part: {"count": len(images) - 1, "sha256": hashlib.sha256(images[:-1]).hexdigest()}
        for part, images in shuffled.items()
    }
    facts |= {"dataset": "mine", "shape": [28, 28, 1], **described}
    for part, images in shuffled.items():
        np.testing.assert_array_equal(
            image_files.load(facts, part, tmp_path / "data", tmp_path / "images"), images[:-1]
        )
    assert not writer.left_out
    without = program_writer.ImageFiles(tmp_path)
    assert without._write(dataset) == {"order": None} and without.left_out == ["mine"]
    with pytest.raises(UserError, match="do not know the places of their images in the archives.*--archives=FOLDER"):
        image_files.load(facts | {"order": None}, "test", tmp_path / "data", tmp_path / "images")


def test_the_command_says_when_images_do_not_come_along(tmp_path):
    np.savez(tmp_path / "mine.npz", train=np.zeros([64, 32, 32, 3], np.uint8), test=np.zeros([8, 32, 32, 3], np.uint8))
    dataset = f"--override=dataset={tmp_path / 'mine.npz'}"
    for option, told in ((), True), (["--images_mb=1"], False):
        out = tmp_path / f"told_{told}"
        done = commands.run(
            "export.training_program", "--model=bwlc_bec_smoke", dataset, f"--out={out}", *option, check=True
        )
        assert ("mine: the programs take the images from .npz files, which --images_mb writes" in done.stdout) == told
        assert (out / "images" / "mine").is_dir() != told


def test_the_runner_needs_no_tensorflow():
    code = "import sys; import export.pjrt.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in loaded and not {"tensorflow", "keras", "absl", "yaml"} & loaded


def test_mixed_precision_and_single_precision_products(tiny):
    model, _ = program_writer._initial(tiny.config, SEED, "mixed_bfloat16", STEPS)
    assert keras.config.dtype_policy().name == "float32"
    weights = [tf.TensorSpec(variable.shape, tf.float32) for variable in model.trainable_variables]
    specs = [weights, tf.TensorSpec([16, 28, 28, 1], tf.uint8)]
    function = TrainingStep(model, models.optimizer(tiny.config)).evaluate(16)
    hlo = program_writer._compiled(function, specs, tensor_float_32=False, aliased=0)
    # The encoder's last layer stays in float32; its factors are not rounded here.
    assert dots_of(hlo) == {("BF16", "HIGHEST"), ("F32", "HIGHEST")}
    assert dots_of(Programs(tiny.programs).read("train")) == {("F32", "DEFAULT")}


def dots_of(content):
    """{(dtype, precision of the factors)} of the matrix products in a program."""
    from tensorflow.compiler.xla import xla_data_pb2
    from tensorflow.compiler.xla.service import hlo_pb2

    module = hlo_pb2.HloModuleProto.FromString(content)
    found = set()
    for computation in module.computations:
        for instruction in computation.instructions:
            if instruction.opcode == "dot":
                dtype = xla_data_pb2.PrimitiveType.Name(instruction.shape.element_type)
                precision = instruction.precision_config.operand_precision
                names = {xla_data_pb2.PrecisionConfig.Precision.Name(p) for p in precision} or {"DEFAULT"}
                found |= {(dtype, name) for name in names}
    return found


def test_the_import_command_needs_programs(tmp_path):
    command = [sys.executable, "-m", "export.import_weights", "--program", tmp_path, "--weights", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and "manifest.json" in done.stderr


def jax_python():
    """An interpreter with JAX: this one, or the one that TFCODED_PJRT_PYTHON names; `None` if there is none."""
    for python in (os.environ.get("TFCODED_PJRT_PYTHON"), sys.executable):
        if python and subprocess.run([python, "-c", "import jax"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_jax_runs_the_programs(training, tmp_path):
    python = jax_python()
    if python is None:
        pytest.skip("JAX is not installed; pip install '.[pjrt]', or set TFCODED_PJRT_PYTHON to an interpreter with it")
    command = [python, "-m", "export.pjrt", training.programs, "--images", training.images, "--weights=float32"]
    command += ["--ahead", "--cache", tmp_path / "cache", "--workdir", tmp_path]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    trial = ["--steps=1", "--epochs=1", "--workdir", tmp_path / "trial"]
    for more in (["--time_budget=1"], trial, ["--time_budget=500"]):  # the last time with compiled programs, but one
        files = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").glob("*")}
        for damaged in list(files)[:1]:
            damaged.write_bytes(damaged.read_bytes()[:-1])
            files[damaged] = damaged.stat().st_mtime_ns
        done = subprocess.run([*command, *more], cwd=ROOT, check=False, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    assert len(files) == 3
    assert [file for file, time in files.items() if file.stat().st_mtime_ns != time] == [damaged]
    name = training.config.name
    arrays, facts = storage.read_result(tmp_path / name, name)
    assert_like_fit(facts["history"], storage.restored(arrays), training)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coded_5_50", "uncoded_8_iwae_10", "random_5_50"])
def test_configurations_of_the_zoo_become_programs(name, tmp_path):
    from tfcoded import zoo

    config = configuration.override(zoo.config(name), ["network.encoder_width=16", "network.decoder_width=16"])
    none = {"count": 300, "sha256": ""}
    facts = {"dataset": "x", "shape": [28, 28, 1], "train": none, "test": none, "order": None}
    folder = program_writer.write(config, tmp_path, facts)
    manifest = Programs(folder).manifest
    assert set(manifest["programs"]) == {"train", "tail", "evaluate"}
    assert {"loss", "elbo", "kl"} <= set(manifest["metrics"])
