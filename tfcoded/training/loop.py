"""A training run from configuration to SavedModel."""

import dataclasses
import hashlib
import json
import pathlib
import shlex
import sys
import typing

import keras
import tensorflow as tf

from tfcoded import data, families, models, pictures
from tfcoded.evaluation import measurement
from tfcoded.runs import provenance
from tfcoded.runs.checkpoints import Checkpoints, latest_epoch, restore_weights
from tfcoded.runs.workdir import Workdir, settings
from tfcoded.training import hardware
from tfcoded.training.callbacks import EpochProgress, EpochRecord, StopUnlessFinite
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder, write_atomically
from tfcoded.zoo import restoring, saving, sources

_EXPORTED = ".exported.json"


class Trained(typing.NamedTuple):
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


def run(
    config,
    workdir,
    *,
    seed=0,
    data_dir=None,
    train_images=None,
    strategy="auto",
    dtype_policy="auto",
    initial_weights=None,
    plan=None,
    storage="float32",
    zoo_dir=None,
    classifier=None,
):
    """Trains `config` in `workdir`, or goes on with it, and writes numbers, pictures and the SavedModel.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
      workdir: `str` or path; see `tfcoded.runs.workdir` for what is written there.
      seed, data_dir, train_images, strategy, dtype_policy, initial_weights: see `train`.
      plan: `tfcoded.evaluation.measurement.Plan` of the final measurement, or `None` for one as large as the training. Where it has
        no number of images, at most `train_images` are measured.
      storage: one of `tfcoded.storage.STORAGES` for the exported SavedModel, or `None` for no export.
      zoo_dir: folder of the zoo with the classifiers, or `None` for the default.
      classifier: folder of a classifier of one's own, or `None` for the zoo's of the data set.

    Raises:
      UserError: for anything wrong with data, folder or configuration, and if the loss or a weight becomes infinite or NaN.

    Example:

    ```python
    training.run(zoo.config("coded_8_80"), "runs/coded_8_80", seed=1)
    ```
    """
    workdir = for_tensorflow(workdir)
    distribution = hardware.strategy(strategy)  # before anything that starts TensorFlow's devices
    # Mistakes first: an hour of training must not end in one.
    plan = plan or measurement.Plan(runs=measurement.runs_after(train_images))
    config = config.without_published() if initial_weights else config
    families.of(config).require(config, plan.metrics)
    classifier = sources.load_classifier(config.dataset, zoo_dir, classifier)
    policy = hardware.dtype_policy(dtype_policy)
    dataset = _load(config, workdir, data_dir)
    if classifier is not None:
        classifier.require(dataset)
    images, _ = plan.chosen(dataset)
    if plan.images is None and train_images is not None:  # a quick try is to end quickly
        plan = dataclasses.replace(plan, images=min(len(data.first_images(dataset, train_images)), len(images)))
    trained = _train(config, workdir, seed, data_dir, train_images, distribution, policy, initial_weights, dataset)
    home = trained.home
    if home is not None and home.results(trained.epochs) is None:
        _finish(config, trained, classifier, plan, storage)
    elif home is not None:
        print(
            f"finished before; the results in {home.path} are kept as they are (python -m tfcoded.evaluate and "
            f"python -m export, with --workdir={shlex.quote(str(home.path))}, measure and export again)"
        )
    _wait_for_all(distribution)


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

    Example:

    ```python
    training.train(zoo.config("bwlc_joint_snr1"), "runs/joint", seed=1)
    codec = restoring.load_workdir("runs/joint")
    ```
    """
    config = config.without_published() if initial_weights else config
    distribution = hardware.strategy(strategy)
    policy = hardware.dtype_policy(dtype_policy)
    return _train(
        config, workdir, seed, data_dir, train_images, distribution, policy, initial_weights, dataset, validate
    )


def _train(
    config,
    workdir,
    seed,
    data_dir,
    train_images,
    distribution,
    policy,
    initial_weights=None,
    dataset=None,
    validate=True,
):
    """As `train`."""
    workdir = for_tensorflow(workdir)
    dataset = dataset or _load(config, workdir, data_dir)
    writable_folder(workdir)
    dataset.require_shape(config.item_shape)
    images = data.first_images(dataset, train_images)
    facts = {
        "seed": seed,
        "train_images": len(images),
        "dtype_policy": policy,
        "replicas": distribution.num_replicas_in_sync,  # the noise depends on it
        "initial_weights": initial_weights,
        "train_images_sha256": data.digest(images),
        "test_images_sha256": data.digest(dataset.test_images),
    }
    _require_same(distribution, settings(config) | {"training.epochs": config.training.epochs} | facts)
    # All workers read the same work directory; only the first writes to it.
    first = _is_first_worker(distribution)
    parts = config.parts
    if parts:
        if initial_weights:
            raise UserError(
                f"{config.name} is trained in parts, {' and '.join(parts)}, which have no common --initial_weights"
            )
        home = Workdir(workdir, config, facts) if first else None
        if first:
            home.require_checkpoint(sources.checkpoint_epochs(workdir) or 0)
        done = {
            name: _train(
                part,
                pathlib.Path(workdir, name),
                seed,
                data_dir,
                train_images,
                distribution,
                policy,
                validate=validate,
            )
            for name, part in parts.items()
        }
        history = _side_by_side({name: trained.history for name, trained in done.items()})
        if first and history:
            home.write_history(history)
        return Trained(home, dataset, config.training.epochs, history, facts, distribution)

    model = _build(config, seed, distribution, policy, len(images))
    checkpoints = Checkpoints(workdir, model, model.optimizer)
    start = None
    if initial_weights and not checkpoints.latest():  # before the folder becomes a run: the name may be mistyped
        start = _start_from(model, initial_weights)
    home = Workdir(workdir, config, facts, latest_epoch(workdir) or 0) if first else None
    if first:
        checkpoints.remove_unfinished()
    epochs = config.training.epochs
    done = checkpoints.restore()
    if first:
        home.require_checkpoint(done)
    history = home.history(done) if first else {}
    if first:
        _announce(config, home.path, model, distribution, policy, done, start)
    if done < epochs:
        advice = "A smaller training.learning_rate or --dtype_policy=float32 may help, in a new --workdir"
        callbacks = [StopUnlessFinite(checkpoints.latest, advice)]
        if first:
            callbacks += [EpochProgress(epochs, model.monitor), EpochRecord(checkpoints, home, history)]
            callbacks.append(keras.callbacks.TensorBoard(str(home.path / "logs"), write_graph=False))
        tested = dataset.test_images if validate else None
        _fit(model, config, images, tested, seed, done, callbacks, checkpoints)
    return Trained(home, dataset, epochs, history, facts, distribution)


def _load(config, workdir, data_dir):
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
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    steps = config.training.epochs * data.steps_per_epoch(images, config.training.batch_size)
    try:
        with distribution.scope():
            model = models.build(config, seed, steps)
            model.compile(models.optimizer(config, steps), jit_compile=False)
            model.optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy(before)
    return model


def _start_from(model, path):
    """Gives the model the weights of the SavedModel, checkpoint or run at `path`; returns where exactly they are."""
    folder = sources.find_saved_model(path)
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


def _finish(config, trained, classifier, plan, storage):
    """Draws, exports and measures what the newest checkpoint holds; metrics.json comes last and says it is complete."""
    kind, workdir, dataset = families.of(config), trained.home.path, trained.dataset
    curves = pictures.curves(trained.history)
    if curves:
        pictures.learning_curves(curves, workdir / "learning_curves.png", config.name)
    model, _ = restoring.restored_model(workdir)
    if storage:
        folder = _exported(model, config, workdir, storage, dataset.train_images)
        print(f"SavedModel: {folder}", flush=True)
        codec = tf.saved_model.load(str(folder))
    else:
        codec = saving.module(model, config)
    kind.draw(codec, config, dataset.test_images, workdir, rows=8, columns=8, seed=0)
    facts = trained.facts | {"storage": storage or "float32"}
    content, text, bins = measurement.measure(
        codec, config, dataset, classifier, plan, epochs=trained.epochs, training=facts
    )
    if bins:
        pictures.reliability_diagram(bins, workdir / "reliability.png", config.name)
    write_atomically(workdir / "metrics.json", provenance.to_json(content))
    (workdir / _EXPORTED).unlink(missing_ok=True)
    print(text)
    print(f"numbers and pictures: {workdir}/metrics.json, {workdir}/*.png")


def _exported(model, config, workdir, storage, images):
    """The version folder of the model's SavedModel: a new one, unless a measurement that was interrupted left it."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    file, wanted = workdir / _EXPORTED, {"storage": storage, "weights_sha256": digest.hexdigest()}
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    folder = workdir / "saved_model" / before.get("version", "none")
    if before == wanted | {"version": folder.name} and (folder / "saved_model.pb").is_file():
        return folder
    folder = saving.export_saved_model(model, config, workdir / "saved_model", storage, images)
    write_atomically(file, json.dumps(wanted | {"version": folder.name}) + "\n")
    return folder


def _announce(config, workdir, model, distribution, policy, done, start):
    print(
        f"{config.name}: {families.of(config).describe(config)}, {model.count_params():,} weights, "
        f"{distribution.num_replicas_in_sync} device(s), {policy}, in {workdir}",
        flush=True,
    )
    if done == config.training.epochs:
        print(f"trained for {done} epochs already", flush=True)
    elif done:
        print(f"going on after epoch {done} of {config.training.epochs}", flush=True)
    elif start:
        print(f"starting from the weights of {start}", flush=True)


def _is_first_worker(distribution):
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = distribution.cluster_resolver
    return resolver.task_type == "chief" or (resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict())


def _require_same(distribution, given):
    """Refuses workers that were given different settings: they would train one model on different data or bounds."""
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        return
    texts = distribution.gather(tf.constant([*json.dumps(given).encode(), *b"\n"]), axis=0)
    first, *others = [json.loads(line) for line in bytes(texts.numpy().tolist()).splitlines()]
    for number, other in enumerate(others, start=1):
        changed = [key for key in {**first, **other} if first.get(key) != other.get(key)]
        if changed:
            values = "; ".join(f"{key}: {first.get(key)} and {other.get(key)}" for key in changed)
            raise UserError(f"workers 0 and {number} have other settings ({values}); give all the same command")


def _wait_for_all(distribution):
    """Ends no worker before the first has measured: the others would take its silence for a failure, and it theirs."""
    if isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        context = tf.distribute.get_replica_context
        distribution.run(tf.function(lambda: context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))))
