"""Training, from a configuration to checkpoints and the history of its metrics."""

import pathlib
import sys
from typing import NamedTuple

import keras
import tensorflow as tf

from tfcoded import data, families, models, pictures
from tfcoded.runs.checkpoints import Checkpoints, latest_epoch, restore_weights
from tfcoded.runs.workdir import Workdir, settings
from tfcoded.training import hardware, workers
from tfcoded.training.callbacks import EpochProgress, EpochRecord, StopUnlessFinite
from tfcoded.utils import keras_settings
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder
from tfcoded.zoo import folders, restoring, sources


class Trained(NamedTuple):
    """A training that is done, as one of its processes sees it.

    Attributes:
      home: `tfcoded.runs.workdir.Workdir`, locked for as long as this exists; `None` in all processes but the first.
      dataset: `tfcoded.data.Dataset`.
      epochs: `int`, how many were trained.
      history: `dict` of lists, the metrics of every epoch.
      facts: `dict`, what else the result depends on: seed, training images, precision, replicas.
      distribution: `tf.distribute.Strategy`.
    """

    home: Workdir | None
    dataset: data.Dataset
    epochs: int
    history: dict
    facts: dict
    distribution: tf.distribute.Strategy


def train(
    config,
    workdir,
    *,
    seed=0,
    data_dir=None,
    train_images=None,
    strategy="auto",
    dtype_policy="auto",
    initial_weights=None,
    dataset=None,
    validate=True,
):
    """Trains `config` in `workdir`, or goes on with it, and leaves checkpoints and the history: nothing is measured.

    The two parts of a separate system are trained one after the other, each in a work directory of its own inside.
    `tfcoded.zoo.restoring.load_workdir(workdir)` gives the model.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
      workdir: `str` or path; see `tfcoded.runs.workdir` for what is written there.
      seed: `int`, of weights, order of the images and noise.
      data_dir: folder of tensorflow-datasets, or `None` for its default.
      train_images: `int`, train on the first so many images, or `None` for all; what is drawn and no image, as often.
      strategy: see `tfcoded.training.hardware.strategy`.
      dtype_policy: see `tfcoded.training.hardware.dtype_policy`.
      initial_weights: `str`, what has trained weights of the same networks to start from, or `None` for random ones:
        a run such as `runs/coded_8_240` (its newest checkpoint), a checkpoint such as
        `runs/coded_8_240/checkpoints/epoch-200`, or the folder of a SavedModel such as `zoo/coded_8_240`, whose weights
        may be rounded. The optimizer starts afresh. What is published is left out then.
      dataset: the configuration's `tfcoded.data.Dataset`, if it is loaded already; a separate system has two.
      validate: `bool`, whether the test images' metrics are computed after every epoch.

    Returns:
      A `Trained`.

    Raises:
      UserError: as `run`.
    """
    config = config.without_published() if initial_weights else config
    distribution = hardware.strategy(strategy)
    policy = hardware.dtype_policy(dtype_policy)
    job = Job(seed, data_dir, train_images, distribution, policy, initial_weights, validate)
    return train_as(job, config, workdir, dataset)


class Job(NamedTuple):
    """What is the same for all parts of a training; see `train`.

    Attributes:
      distribution: `tf.distribute.Strategy`.
      policy: `str`, Keras' name of the precision.
    """

    seed: int
    data_dir: str | None
    train_images: int | None
    distribution: tf.distribute.Strategy
    policy: str
    initial_weights: str | None
    validate: bool = True


def train_as(job, config, workdir, dataset=None):
    """As `train`, with the settings of a `Job`."""
    workdir = for_tensorflow(workdir)
    dataset = dataset or load(config, workdir, job.data_dir)
    writable_folder(workdir)
    dataset.require_shape(config.item_shape)
    images = data.first_images(dataset, job.train_images)
    facts = {
        "seed": job.seed,
        "train_images": len(images),
        "dtype_policy": job.policy,
        "replicas": job.distribution.num_replicas_in_sync,  # the noise depends on it
        "initial_weights": job.initial_weights,
        "train_images_sha256": data.digest(images),
        "test_images_sha256": data.digest(dataset.test_images),
    }
    workers.require_same(job.distribution, settings(config) | {"training.epochs": config.training.epochs} | facts)
    if config.parts:
        home, history = _train_parts(job, config, workdir, facts)
    else:
        home, history = _train_model(job, config, workdir, facts, images, dataset.test_images)
    return Trained(home, dataset, config.training.epochs, history, facts, job.distribution)


def _train_parts(job, config, workdir, facts):
    """Trains the parts of a system one after the other; returns the first worker's `Workdir`, or `None`, and the history."""
    if job.initial_weights:
        raise UserError(
            f"{config.name} is trained in parts, {' and '.join(config.parts)}, which have no common --initial_weights"
        )
    home = None
    if workers.is_first(job.distribution):
        home = Workdir(workdir, config, facts)
        home.require_checkpoint(sources.checkpoint_epochs(workdir) or 0)
    done = {name: train_as(job, part, pathlib.Path(workdir, name)) for name, part in config.parts.items()}
    history = _side_by_side({name: trained.history for name, trained in done.items()})
    if home is not None and history:
        home.write_history(history)
    return home, history


def _train_model(job, config, workdir, facts, images, test_images):
    """Trains one model; returns the first worker's `Workdir`, or `None`, and the history."""
    model = _build(config, job.seed, job.distribution, job.policy, len(images))
    checkpoints = Checkpoints(workdir, model, model.optimizer)
    start = None
    if job.initial_weights and not checkpoints.latest():  # before the folder becomes a run: the name may be mistyped
        start = _start_from(model, job.initial_weights)

    # All workers read the same work directory; only the first writes to it.
    home = None
    if workers.is_first(job.distribution):
        home = Workdir(workdir, config, facts, latest_epoch(workdir) or 0)
        checkpoints.remove_unfinished()
    done = checkpoints.restore()
    history = {}
    if home is not None:
        home.require_checkpoint(done)
        history = home.history(done)
        _announce(config, home.path, model, job, done, start)
    if done == config.training.epochs:
        return home, history

    advice = "A smaller training.learning_rate or --dtype_policy=float32 may help, in a new --workdir"
    callbacks = [StopUnlessFinite(checkpoints.latest, advice)]
    if home is not None:
        callbacks += [EpochProgress(config.training.epochs, model.monitor), EpochRecord(checkpoints, home, history)]
        callbacks.append(keras.callbacks.TensorBoard(str(home.path / "logs"), write_graph=False))
    _fit(model, config, images, test_images if job.validate else None, job.seed, done, callbacks, checkpoints)
    return home, history


def load(config, workdir, data_dir):
    """The data set, after it is known that the folder of the run can be written to."""
    data.require_known(config.dataset)  # before there is a folder: the name may be mistyped
    writable_folder(workdir)
    return data.load(config.dataset, data_dir)


def _side_by_side(histories):
    """The histories of parts, by name, as one: metrics are called `source_vae_mse` or `val_source_vae_mse`.

    Of the epochs that are recorded of all parts; empty if there is none.
    """
    shared = set.intersection(*(set(history.get("epoch", ())) for history in histories.values()))
    if not shared:
        return {}
    histories = {
        part: {
            name: [value for epoch, value in zip(history["epoch"], values, strict=True) if epoch in shared]
            for name, values in history.items()
        }
        for part, history in histories.items()
    }
    together = {}
    for part, history in histories.items():
        for name, values in pictures.curves(history).items():
            if name == "epoch":
                continue
            split = "val_" if name.startswith("val_") else ""
            together[f"{split}{part}_{name.removeprefix('val_')}"] = values
    epochs, seconds = (
        list(zip(*(history[name] for history in histories.values()), strict=True)) for name in ("epoch", "seconds")
    )
    return {"epoch": [first for first, *_ in epochs], **together, "seconds": [sum(parts) for parts in seconds]}


def _build(config, seed, distribution, policy, images):
    steps = config.training.epochs * data.steps_per_epoch(images, config.training.batch_size)
    with keras_settings.dtype_policy(policy), distribution.scope():
        model = models.build(config, seed, steps)
        model.compile(models.optimizer(config, steps), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    return model


def _start_from(model, path):
    """Gives the model the weights of the SavedModel, checkpoint or run at `path`; returns where exactly they are."""
    folder = folders.find_saved_model(path)
    if folder is None:
        return restore_weights(model, path)
    restoring.restore_weights(model, folder)
    return folder


def _fit(model, config, images, test_images, seed, done, callbacks, checkpoints):
    training = config.training
    tested = None if test_images is None else data.test_pipeline(test_images, training.batch_size)
    try:
        model.fit(
            data.training_pipeline(images, training.batch_size, seed, done, training.epochs - done),
            initial_epoch=done,
            epochs=training.epochs,
            steps_per_epoch=data.steps_per_epoch(len(images), training.batch_size),
            validation_data=tested,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,  # the pipeline shuffles
        )
    except KeyboardInterrupt:
        latest = checkpoints.latest()
        kept = f"{latest} is kept; the same command goes on from there" if latest else "no epoch was finished"
        print(f"\ninterrupted: {kept}", file=sys.stderr)
        raise


def _announce(config, workdir, model, job, done, start):
    print(
        f"{config.name}: {families.of(config).describe(config)}, {model.count_params():,} weights, "
        f"{job.distribution.num_replicas_in_sync} device(s), {job.policy}, in {workdir}",
        flush=True,
    )
    if done == config.training.epochs:
        print(f"trained for {done} epochs already", flush=True)
    elif done:
        print(f"going on after epoch {done} of {config.training.epochs}", flush=True)
    elif start:
        print(f"starting from the weights of {start}", flush=True)
