"""A work directory from the result of training programs."""

import hashlib
import json

import keras

from export.pjrt import storage
from tfcoded import data, models
from tfcoded.codec.weights import key
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.runs.workdir import Workdir
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import write_atomically

RECORD = "pjrt.json"  # in the work directory: on what the programs were run, and which


def write_workdir(manifest_file, config, source, workdir):
    """Writes configuration, history and checkpoint as `tfcoded.training.run.run` would have.

    Args:
      manifest_file: `pathlib.Path` of the programs' manifest.json.
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig` in it.
      source: `pathlib.Path` of a folder with a result's parts, or of a checkpoint.npz.
      workdir: `pathlib.Path`, made if missing.

    Returns:
      `int`, the number of epochs trained, and `bool`, whether training can go on exactly: the source was a checkpoint.

    Raises:
      UserError: if the source is damaged, belongs to other programs or was a trial, or if the work directory holds
        another training, or this one with more epochs.
    """
    content = manifest_file.read_bytes()
    manifest = json.loads(content)
    exact = source.is_file()
    arrays, facts = storage.read_checkpoint(source) if exact else storage.read_result(source, manifest["name"])
    if facts["manifest_sha256"] != hashlib.sha256(content).hexdigest():
        raise UserError(f"{source} was not trained by the programs in {manifest_file.parent}")
    if facts["steps"] is not None:
        raise UserError(f"{source} comes from a trial of {facts['steps']} steps per epoch (--steps)")

    run = manifest["run"] | {f"{part}_images_sha256": manifest["images"][part]["sha256"] for part in ("train", "test")}
    home = Workdir(workdir, config, run)
    steps = config.training.epochs * data.steps_per_epoch(run["train_images"], config.training.batch_size)
    model, optimizer = models.build(config, run["seed"], steps), models.optimizer(config, steps)
    optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(workdir, model, optimizer)
    if checkpoints.latest() is not None and checkpoints.restore() >= facts["epochs"]:
        raise UserError(f"{workdir} holds a training of at least {facts['epochs']} epochs; choose another --workdir")
    _assign(model, optimizer, arrays, exact)
    optimizer.iterations.assign(facts["iterations"])
    write_atomically(workdir / RECORD, json.dumps(_record(manifest, facts), indent=1) + "\n")
    home.write_history(facts["history"])
    checkpoints.save(facts["epochs"])
    return facts["epochs"], exact


def _assign(model, optimizer, arrays, exact):
    weights = storage.restored(arrays)
    for variable in model.weights:
        variable.assign(weights[key(variable)])
    moments = {"momentum": optimizer._momentums, "velocity": optimizer._velocities}
    for index, variable in enumerate(model.trainable_variables):
        for kind, variables in moments.items():
            value = arrays[f"{kind}/{key(variable)}"] if exact else keras.ops.zeros(variable.shape)
            variables[index].assign(value)


def _record(manifest, facts):
    kept = ("device", "platform", "platform_version", "jax", "seconds", "manifest_sha256")
    record = {name: facts[name] for name in kept}
    record["storage"] = facts.get("storage", "float32")
    return record | {name: manifest[name] for name in ("tensor_float_32", "versions", "sources_sha256", "command")}
