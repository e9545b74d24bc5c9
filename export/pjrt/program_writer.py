"""Training programs in files: one folder per model, with a manifest that says what goes in and what comes out."""

import hashlib
import json
import lzma
import pathlib

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

import export
import tfcoded
from export.pjrt import images as image_files, philox
from export.pjrt.training_step import TrainingStep
from tfcoded import config as configuration, data, models
from tfcoded.codec.weights import key
from tfcoded.runs import provenance
from tfcoded.runs.workdir import differences
from tfcoded.utils import keras_settings, npz
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

FORMAT = 2  # of the manifest; export.pjrt reads this one

_EMBEDDED = pathlib.Path(__file__).resolve().parents[2] / "data"


def write(config, out, images, *, seed=0, dtype_policy="float32", tensor_float_32=True):
    """Writes the training of a configuration as programs.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`, but no separate system: its parts.
      out: `pathlib.Path`; the programs go into the folder `config.name` in it.
      images: `dict`, from `ImageFiles.described`.
      seed: `int`, of weights, order and noise.
      dtype_policy: `"float32"` or `"mixed_bfloat16"`.
      tensor_float_32: `bool`, whether devices may round the factors of float32 products.

    Returns:
      `pathlib.Path` of the folder: `manifest.json`, `train.hlo.xz` (steps of a whole batch), `tail.hlo.xz` (the last
      step of an epoch, if its batch is smaller), `evaluate.hlo.xz`, and `initial.npz` if some initial weights are
      neither constant nor uniform.

    Example:

    ```python
    images = ImageFiles(out).described(config)
    write(config, out, images, seed=1)
    ```
    """
    folder = out / config.name
    manifest_file = folder / "manifest.json"
    folder.mkdir(parents=True, exist_ok=True)
    manifest_file.unlink(missing_ok=True)  # written last: a folder without it holds no complete programs
    batch_size, count = config.training.batch_size, images["train"]["count"]
    total_steps = config.training.epochs * data.steps_per_epoch(count, batch_size)
    model, initial = _initial(config, seed, dtype_policy, total_steps)
    step = TrainingStep(model, models.optimizer(config, total_steps))
    weights, stored = _described(step, initial)

    # What goes into each program and what comes out of it: all that a step changes goes in and out under one name.
    state = [tf.TensorSpec(weight["shape"], tf.float32) for weight in weights]
    moments = state[: step.trained]
    update = [state, moments, moments, tf.TensorSpec([], tf.int32)]
    shape = config.item_shape
    train_inputs = [*update, tf.TensorSpec([count, *shape], tf.uint8), tf.TensorSpec([count], tf.int32)]
    train_inputs += [tf.TensorSpec([], tf.int32)] * 2
    tensors = _tensors(weights, train_inputs[4].shape, images["test"]["count"], len(step.metric_names))
    names = list(tensors)[: list(tensors).index("iterations") + 1]
    train_names = [*names, "train_images", "order", "start", "steps"], [*names, "metrics"]
    kept = len(names)
    test_images = tf.TensorSpec([images["test"]["count"], *shape], tf.uint8)
    cases = {"evaluate": (step.evaluate(batch_size), [state, test_images])}
    io = {"evaluate": ([*names[: len(weights)], "test_images"], ["metrics"])}
    if count >= batch_size:
        cases["train"], io["train"] = (step.train(batch_size), train_inputs), train_names
    if count % batch_size:
        cases["tail"], io["tail"] = (step.train(count % batch_size), train_inputs), train_names

    programs = {}
    for name, (function, specs) in cases.items():
        hlo = _compiled(function, specs, tensor_float_32, aliased=0 if name == "evaluate" else kept)
        content = lzma.compress(hlo, preset=6)
        write_atomically(folder / f"{name}.hlo.xz", content)
        inputs, outputs = io[name]
        programs[name] = {
            "file": f"{name}.hlo.xz",
            "sha256": hashlib.sha256(hlo).hexdigest(),
            "inputs": inputs,
            "outputs": outputs,
        }

    # If one more epoch changes another setting, such as a decay over all steps, the number of epochs is fixed.
    more_epochs = config.training.replace(epochs=config.training.epochs + 1)
    manifest = {
        "format": FORMAT,
        "name": config.name,
        "config": configuration.to_yaml(config),
        "run": {"seed": seed, "train_images": count, "dtype_policy": dtype_policy, "replicas": 1},
        "tensor_float_32": tensor_float_32,
        "epochs": config.training.epochs,
        "epochs_are_fixed": bool(differences(config, config.without_facts(training=more_epochs))),
        "batch_size": batch_size,
        "metrics": list(step.metric_names),
        "order_seed": list(data.seed_pair(seed)),
        "images": images,
        "tensors": tensors,
        "weights": weights,
        "initial_weights": _write_initial(stored, folder),
        "programs": programs,
        "versions": provenance.versions(),
        "sources_sha256": _sources_digest(),
        "command": provenance.command(),
    }
    write_atomically(manifest_file, json.dumps(manifest, indent=1) + "\n")
    return folder


class ImageFiles:
    """What the manifests say of the images, and the files that go with it: `out/images/<data set>...npz`.

    tensorflow-datasets stores images in an order of its own, which the training follows. Where the images will be read
    from the original idx archives, their places in that order are written; otherwise the images themselves can be.

    Args:
      out: `pathlib.Path`.
      data_dir: folder of tensorflow-datasets.
      archives: folder of the idx archives, or `None` for the ones that come with the repository.
      images_mb: `int`, write images in parts of so many megabytes; 0 writes none.

    Attributes:
      left_out: names of the data sets described so far of which neither places nor images were written.

    Raises:
      UserError: if `archives` are given and are not there.
    """

    def __init__(self, out, data_dir=None, archives=None, images_mb=0):
        if archives is not None and not image_files.has_archives(archives):
            raise UserError(f"--archives: {archives} lacks {' or '.join(image_files.ARCHIVES.values())}")
        self._folder = out / "images"
        self._data_dir, self._archives, self._images_mb = data_dir, archives, images_mb
        self._datasets = {}
        self.left_out = []

    def described(self, config, train_images=None):
        """The images of `config`, as `dict`; `train_images` takes the first so many only.

        Raises:
          UserError: for anything wrong with the data.
        """
        if config.dataset not in self._datasets:
            dataset = data.load(config.dataset, self._data_dir)
            self._datasets[config.dataset] = dataset, self._write(dataset)
        dataset, files = self._datasets[config.dataset]
        dataset.require_shape(config.item_shape)
        parts = {"train": data.first_images(dataset, train_images), "test": dataset.test_images}
        facts = {
            part: {"count": len(images), "sha256": hashlib.sha256(images).hexdigest()} for part, images in parts.items()
        }
        return {"dataset": dataset.name, "shape": list(config.item_shape), **facts, **files}

    def _write(self, dataset):
        if 0 in dataset.image_shape:  # nothing to be read
            return {"order": None}
        archives = pathlib.Path(self._archives or _EMBEDDED / dataset.name)
        if image_files.has_archives(archives):
            places = {}
            for part, images in (("train", dataset.train_images), ("test", dataset.test_images)):
                try:
                    stored = image_files.read_archive(archives, part)
                except image_files.DAMAGE as error:
                    file = archives / image_files.ARCHIVES[part]
                    raise UserError(f"cannot read {file}: {error}; --archives names another folder") from error
                places[part] = _places(images, stored, archives)
            file = self._folder / f"{dataset.name}_order.npz"
            write_atomically(file, npz.packed(places))
            return {"order": f"../images/{file.name}"}
        if self._images_mb:
            _write_images(dataset, self._folder / dataset.name, self._images_mb * 1_000_000)
        else:
            self.left_out.append(dataset.name)
        return {"order": None}


def _places(images, stored, archives):
    """Where each image is stored, so that `stored[places]` equals `images`; any of several equal ones."""
    rows = {hashlib.sha256(image).digest(): place for place, image in enumerate(stored)}
    try:
        return np.array([rows[hashlib.sha256(np.ascontiguousarray(image)).digest()] for image in images], np.uint32)
    except KeyError:
        raise UserError(f"the archives in {archives} do not hold the images of the data set; give --archives") from None


def _write_images(dataset, folder, part_bytes):
    number = 0
    for part, images in (("train", dataset.train_images), ("test", dataset.test_images)):
        count = max(1, part_bytes // images[0].size)
        for start in range(0, len(images), count):
            content = npz.packed({part: images[start : start + count]}, compressed=True)
            write_atomically(folder / f"{number:03}.npz", content)
            number += 1


def _initial(config, seed, dtype_policy, total_steps):
    """The model, and the initializers of its weights, a `dict` by path."""
    # In a stateless scope Keras keeps the initializers; it draws the values when the scope ends.
    with keras_settings.dtype_policy(dtype_policy), keras.StatelessScope():
        model = models.build(config, seed, total_steps)
        return model, {variable.path: variable._initializer for variable in model.weights}


def _described(step, initializers):
    """What the manifest says of every weight, a list; and the initial values that it cannot say, a `dict` by name."""
    weights, stored = [], {}
    for index, variable in enumerate(step.variables):
        value, name = keras.ops.convert_to_numpy(variable), key(variable)
        initial = _in_words(variable.path, value, initializers[variable.path])
        if initial["kind"] == "stored":
            stored[name] = value
        weights.append({"name": name, "shape": list(value.shape), "trained": index < step.trained, "initial": initial})
    return weights, stored


def _in_words(path, value, initializer):
    """How an initial value is drawn, a `dict`."""
    if type(initializer) is not keras.initializers.RandomUniform:
        first = value.reshape(-1)[0]
        constant = np.array_equal(value, np.full_like(value, first))
        return {"kind": "constant", "value": float(first)} if constant else {"kind": "stored"}
    drawn = {
        "seed": [initializer.seed % (2**31 - 2), 0],  # as keras.random.uniform makes a stateless seed of it
        "low": initializer.minval,
        "high": initializer.maxval,
    }
    if not np.array_equal(philox.uniform(value.shape, **drawn), value):
        raise ValueError(f"{path}: export.pjrt.philox draws other initial values than Keras")
    return {"kind": "uniform", **drawn}


def _write_initial(stored, folder):
    """Writes initial values; what the manifest says of the file, or `None` if there are no such values."""
    file = folder / "initial.npz"
    file.unlink(missing_ok=True)
    if not stored:
        return None
    content = npz.packed(stored, compressed=True)
    write_atomically(file, content)
    return {"file": file.name, "sha256": hashlib.sha256(content).hexdigest()}


def _compiled(function, specs, tensor_float_32, aliased):
    """The serialized HLO of a function; its first `aliased` outputs may take the memory of as many inputs."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
    try:
        flat = tf.nest.flatten(specs)
        compiled = tf.function(
            lambda *tensors: function(*tf.nest.pack_sequence_as(specs, tensors)), jit_compile=True, autograph=False
        )
        # The platform is named so that the program is the same wherever it is written.
        hlo = compiled.experimental_get_compiler_ir(*flat)(stage="hlo_serialized", platform_name="CPU")
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
    module = hlo_pb2.HloModuleProto.FromString(hlo)
    if len(module.host_program_shape.parameters) != len(flat):
        raise ValueError("a training program must not depend on anything but its arguments")
    for index in range(aliased):
        module.input_output_alias.entries.add(
            output_shape_index=[index], parameter_number=index, kind=hlo_pb2.MAY_ALIAS
        )
    for computation in module.computations:
        for instruction in computation.instructions:
            instruction.ClearField("metadata")  # names and places of the sources: two thirds of the size
    module.ClearField("stack_frame_index")
    return module.SerializeToString(deterministic=True)


def _tensors(weights, train_shape, test_count, metrics):
    """name -> shape, dtype and meaning, of every input and output; the state comes first, in its order."""
    trained = [weight for weight in weights if weight["trained"]]
    meanings = {
        "weight": (weights, "weight of the model"),
        "momentum": (trained, "Adam's first moment, 0 at first"),
        "velocity": (trained, "Adam's second moment, 0 at first"),
    }
    tensors = {
        f"{kind}/{weight['name']}": _tensor(weight["shape"], "float32", meaning)
        for kind, (members, meaning) in meanings.items()
        for weight in members
    }
    return tensors | {
        "iterations": _tensor([], "int32", "optimizer steps so far"),
        "train_images": _tensor(train_shape, "uint8", "training images, which stay the same"),
        "test_images": _tensor([test_count, *train_shape[1:]], "uint8", "test images"),
        "order": _tensor(train_shape[:1], "int32", "order of the training images in this epoch"),
        "start": _tensor([], "int32", "place in the order of the first image to use"),
        "steps": _tensor([], "int32", "steps to take"),
        "metrics": _tensor([metrics], "float32", "metrics, summed over the images used"),
    }


def _tensor(shape, dtype, meaning):
    return {"shape": list(shape), "dtype": dtype, "meaning": meaning}


def _sources_digest():
    """SHA-256 over the Python sources of tfcoded and export."""
    digest = hashlib.sha256()
    for package in (tfcoded, export):
        root = pathlib.Path(package.__file__).parent
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
