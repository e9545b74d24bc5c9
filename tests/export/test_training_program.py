"""Programs of training, with tiny networks: the same training as `model.fit`, interrupted and not."""

import gzip
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from export import imported_run, program_writer
from export.pjrt import __main__ as runner
from export.pjrt import images as image_files
from export.pjrt import philox, storage
from export.pjrt.program import Programs
from export.savedmodel import load_workdir, restored_model
from export.training_step import TrainingStep
from tfcoded import config as configuration
from tfcoded import data
from tfcoded.errors import UserError
from tfcoded.models import AdamL2, CodedDVAE

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 3


class TensorFlowDevice:
    """In place of `export.pjrt.program.Device`: programs are known by their digests and run by TensorFlow's XLA."""

    def __init__(self, config, folder):
        manifest = Programs(folder).manifest
        step = TrainingStep(CodedDVAE.from_configuration(config, SEED), config.training)
        count = len(manifest["weights"])
        functions = {"train": step.train(16), "tail": step.train(8), "evaluate": step.evaluate(16)}
        self._functions = {
            facts["sha256"]: self._flat(functions[name], count, name) for name, facts in manifest["programs"].items()
        }

    @staticmethod
    def _flat(function, count, name):
        lists = 1 if name == "evaluate" else 3
        function = tf.function(function, jit_compile=True, autograph=False)

        def call(tensors):
            weights = [tensors[index * count : (index + 1) * count] for index in range(lists)]
            return tf.nest.flatten(function(*weights, *tensors[lists * count :]))

        return call

    def put(self, array):
        return tf.convert_to_tensor(array)

    def facts(self):
        return {"device": "test", "platform": "cpu", "platform_version": "", "jax": "none"}

    def compiled(self, hlo):
        return self._functions[hashlib.sha256(hlo).hexdigest()]


class Tiny:
    """A training of three epochs of two and a half batches, written as programs and made with `model.fit`."""

    def __init__(self, folder):
        self.config = tiny_networks.settings(folder)
        self.programs = program_writer.write(
            self.config, folder, program_writer.ImageFiles(folder, images_mb=1).described(self.config), seed=SEED
        )
        self.images = folder / "images"
        self.device = TensorFlowDevice(self.config, self.programs)
        self.history = self._fit()

    def _fit(self):
        dataset, training = data.load(self.config.dataset), self.config.training
        self.model = CodedDVAE.from_configuration(self.config, SEED)
        self.model.compile(AdamL2(training.learning_rate, training.l2), jit_compile=False)
        self.initial = [weight.numpy() for weight in self.model.trainable_variables]
        self.after_one_epoch = []

        def keep(epoch, logs):
            self.after_one_epoch = self.after_one_epoch or [w.numpy() for w in self.model.trainable_variables]

        return self.model.fit(
            data.training_pipeline(dataset.train_images, training.batch_size, SEED, 0, training.epochs),
            epochs=training.epochs,
            steps_per_epoch=3,
            validation_data=data.test_pipeline(dataset.test_images, training.batch_size),
            verbose=0,
            shuffle=False,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
        ).history

    def run(self, workdir, *arguments):
        arguments = [self.programs, "--workdir", workdir, "--images", self.images, *arguments]
        return runner.main([str(argument) for argument in arguments], self.device)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        tiny_networks.replace_networks(patch)
        yield Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The work directory of a run of the programs without interruption."""
    workdir = tmp_path_factory.mktemp("trained")
    assert tiny.run(workdir, "--part_mb=0.05") == 0
    return workdir / "tiny"


def without_time(history):
    return {name: values for name, values in history.items() if name != "seconds"}


def assert_like_fit(history, weights, tiny):
    """Within what XLA's other rounding makes of nine steps."""
    assert set(history) == {"epoch", "seconds", *tiny.history}
    for name, expected in tiny.history.items():
        np.testing.assert_allclose(history[name], expected, rtol=3e-6, atol=1e-6, err_msg=name)
    for variable in tiny.model.trainable_variables:
        value = weights[variable.path.split("/", 1)[1].replace("/", ".")]
        # Moved by up to 9e-4.
        np.testing.assert_allclose(value, variable.numpy(), atol=2e-6, err_msg=variable.path)


def test_without_xla_the_training_is_that_of_fit_to_the_last_digits(tiny):
    step = TrainingStep(tiny.model, tiny.config.training)
    images = data.load(tiny.config.dataset).train_images
    order = philox.order(40, data.seed_pair(SEED), 0)
    weights = [tf.constant(weight) for weight in tiny.initial]
    zeros = [tf.zeros_like(weight) for weight in weights]
    state = weights, zeros, zeros, tf.constant(0)
    *state, sums = step.train(16)(*state, images, order, 0, 2)
    weights, *_, iterations, more = step.train(8)(*state, images, order, 32, 1)
    assert iterations == 3
    for name, value in zip(step.metric_names, (sums + more) / 40, strict=True):
        np.testing.assert_allclose(value, tiny.history[name][0], rtol=1e-5, atol=1e-6, err_msg=name)
    # Weights moved by up to 3e-4.
    for weight, expected in zip(weights, tiny.after_one_epoch, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_the_programs_train_as_fit_does(tiny, trained):
    arrays, facts = storage.read_result(trained, "tiny")
    assert facts["epochs"] == 3 and facts["iterations"] == 9
    # Largest differences seen: 6e-8 (weights); relative: 2e-6 (elbo), 7e-5 (divergence of a branch, of 2e-4 nats).
    assert_like_fit(facts["history"], storage.restored(arrays), tiny)
    assert facts["history"] == json.loads((trained / "history.json").read_text())
    assert facts["history"]["kl_m1"] != facts["history"]["kl_m2"]


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tiny, trained, tmp_path, capsys, monkeypatch):
    assert tiny.run(tmp_path, "--epochs=1") == 0
    with monkeypatch.context() as patch:
        patch.setattr(runner._Schedule, "_over", lambda schedule, ahead=0.0: ahead > 0)  # time for one epoch
        assert tiny.run(tmp_path) == 0
    assert json.loads((tmp_path / "tiny" / "history.json").read_text())["epoch"] == [1, 2]
    assert storage.result_epochs(tmp_path / "tiny", "tiny") == 2
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
        "seed": SEED, "train_images": 40, "dtype_policy": "float32", "replicas": 1,
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


def test_what_cannot_be_imported(tiny, trained, tmp_path):
    manifest = json.loads((tiny.programs / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"seed": 4}))
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


def test_other_images_are_refused(tiny, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / "images" / "a.npz", train=np.zeros([40, 28, 28, 1], np.uint8))
    assert tiny.run(tmp_path / "run", "--images", tmp_path) == 2
    assert "holds other images" in capsys.readouterr().err
    assert tiny.run(tmp_path / "run", "--images", tmp_path / "none") == 2
    assert "cannot read the images" in capsys.readouterr().err


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
    facts |= {"dataset": "mine", **described}
    for part, images in shuffled.items():
        np.testing.assert_array_equal(
            image_files.load(facts, part, tmp_path / "data", tmp_path / "images"), images[:-1]
        )


def test_the_runner_needs_no_tensorflow():
    code = "import sys; import export.pjrt.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in loaded and not {"tensorflow", "keras", "absl", "yaml"} & loaded


def test_mixed_precision_and_single_precision_products(tiny):
    model, _ = program_writer._initial(tiny.config, SEED, "mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    weights = [tf.TensorSpec(variable.shape, tf.float32) for variable in model.trainable_variables]
    specs = [weights, tf.TensorSpec([16, 28, 28, 1], tf.uint8)]
    function = TrainingStep(model, tiny.config.training).evaluate(16)
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


def test_jax_runs_the_programs(tiny, trained, tmp_path):
    python = jax_python()
    if python is None:
        pytest.skip("JAX is not installed; pip install '.[pjrt]', or set TFCODED_PJRT_PYTHON to an interpreter with it")
    command = [python, "-m", "export.pjrt", tiny.programs, "--images", tiny.images, "--weights=float32", "--ahead"]
    command += ["--cache", tmp_path / "cache", "--workdir", tmp_path]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    for epochs in ("--epochs=1", "--epochs=3"):  # the second time with the compiled programs of the first
        subprocess.run([*command, epochs], cwd=ROOT, check=True, capture_output=True, env=environment)
    assert len(list((tmp_path / "cache").iterdir())) == 3
    arrays, facts = storage.read_result(tmp_path / "tiny", "tiny")
    assert_like_fit(facts["history"], storage.restored(arrays), tiny)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coded_5_50", "uncoded_8_iwae_10", "random_5_50"])
def test_configurations_of_the_zoo_become_programs(name, tmp_path):
    from tfcoded import zoo

    config = configuration.override(zoo.config(name), ["network.encoder_width=16", "network.decoder_width=16"])
    none = {"count": 300, "sha256": ""}
    folder = program_writer.write(config, tmp_path, {"dataset": "x", "train": none, "test": none, "order": None})
    manifest = Programs(folder).manifest
    assert set(manifest["programs"]) == {"train", "tail", "evaluate"}
    assert {"loss", "elbo", "kl"} <= set(manifest["metrics"])
