"""A training run from configuration to SavedModel."""

import sys

import keras
import tensorflow as tf

from export import savedmodel
from tfcoded import data, generate, hardware, measurement, pictures, provenance, sources
from tfcoded.callbacks import EpochProgress, EpochRecord, StopUnlessFinite
from tfcoded.checkpoints import Checkpoints
from tfcoded.errors import UserError
from tfcoded.files import writable_folder, write_atomically
from tfcoded.models import AdamL2, CodedDVAE
from tfcoded.workdir import Workdir


def run(
    config,
    workdir,
    *,
    seed=0,
    data_dir=None,
    train_images=None,
    strategy="auto",
    dtype_policy="auto",
    runs=50,
    words=1000,
    storage="float32",
    zoo_dir=None,
):
    """Trains `config` in `workdir`, or goes on with it, and writes numbers, pictures and the SavedModel.

    Args:
      config: `tfcoded.config.Config`.
      workdir: `str` or path; see `tfcoded.workdir` for what is written there.
      seed: `int`, of weights, order of the images and noise.
      data_dir: folder of tensorflow-datasets, or `None` for its default.
      train_images: `int`, train on the first so many images, or `None` for all.
      strategy: see `tfcoded.hardware.strategy`.
      dtype_policy: see `tfcoded.hardware.dtype_policy`.
      runs: `int`, runs of the final bit and word error rates.
      words: `int`, words in each of them.
      storage: one of `export.STORAGES` for the exported SavedModel, or `None` for no export.
      zoo_dir: folder of the zoo with the classifiers, or `None` for the default.

    Raises:
      UserError: for anything wrong with data, folder or configuration, and if the loss becomes infinite or NaN.

    Example:

    ```python
    training.run(zoo.config("coded_8_80"), "runs/coded_8_80", seed=1)
    ```
    """
    distribution = hardware.strategy(strategy)  # before anything that starts TensorFlow's devices
    policy = hardware.dtype_policy(dtype_policy)
    # Mistakes first: an hour of training must not end in one.
    writable_folder(workdir)
    classifier = sources.load_classifier(config.dataset, zoo_dir)
    dataset = data.load(config.dataset, data_dir)
    dataset.require_shape(config.network.image_shape)
    if train_images is not None and train_images > len(dataset.train_images):
        raise UserError(f"--train_images={train_images}, but {dataset.name} has {len(dataset.train_images)} of them")
    images = dataset.train_images[:train_images]
    facts = {
        "seed": seed,
        "train_images": len(images),
        "dtype_policy": policy,
        "replicas": distribution.num_replicas_in_sync,  # the noise depends on it
    }
    model = _build(config, seed, distribution, policy)
    # All workers read the same work directory; only the first writes to it.
    first = _is_first_worker(distribution)
    home = Workdir(workdir, config, facts) if first else None

    epochs = config.training.epochs
    checkpoints = Checkpoints(workdir, model, model.optimizer)
    done = checkpoints.restore()
    history = home.history(done) if first else {}
    if first:
        _announce(config, home.path, model, distribution, policy, done)
    if done < epochs:
        callbacks = [StopUnlessFinite(checkpoints)]
        if first:
            callbacks += [EpochProgress(epochs, model.objective.bound), EpochRecord(checkpoints, home, history)]
            callbacks.append(keras.callbacks.TensorBoard(str(home.path / "logs"), write_graph=False))
        _fit(model, config, images, dataset.test_images, seed, done, callbacks, checkpoints)
    done = max(done, epochs)
    if first and home.results(done) is None:
        facts |= {"epochs": done, "storage": storage or "float32"}
        _finish(config, home.path, dataset, classifier, history, facts, runs, words, storage)
    elif first:
        print(f"finished before; the results are in {home.path}")
    _wait_for_all(distribution)


def _build(config, seed, distribution, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        with distribution.scope():
            model = CodedDVAE.from_configuration(config, seed)
            model.compile(AdamL2(config.training.learning_rate, config.training.l2), jit_compile=False)
            model.optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy(before)
    return model


def _fit(model, config, images, test_images, seed, done, callbacks, checkpoints):
    training = config.training
    try:
        model.fit(
            data.training_pipeline(images, training.batch_size, seed, done, training.epochs - done),
            initial_epoch=done,
            epochs=training.epochs,
            steps_per_epoch=data.steps_per_epoch(len(images), training.batch_size),
            validation_data=data.test_pipeline(test_images, training.batch_size),
            callbacks=callbacks,
            verbose=0,
            shuffle=False,  # the pipeline shuffles
        )
    except KeyboardInterrupt:
        latest = checkpoints.latest()
        kept = f"{latest} is kept; the same command goes on from there" if latest else "no epoch was finished"
        print(f"\ninterrupted: {kept}", file=sys.stderr)
        raise


def _finish(config, workdir, dataset, classifier, history, facts, runs, words, storage):
    """Draws, exports and measures what the newest checkpoint holds; metrics.json comes last and says it is complete."""
    curves = {name: values for name, values in history.items() if name not in ("epoch", "seconds")}
    curves.pop("loss", None)
    curves.pop("val_loss", None)
    if curves:
        pictures.learning_curves(curves, workdir / "learning_curves.png")
    model, _ = savedmodel.restored_model(workdir)
    codec = savedmodel.CodedDVAEModule(model, config, facts["storage"])
    generate.reconstructions(codec, dataset.test_images, workdir, rows=8, columns=8, seed=0)
    generate.samples(codec, workdir, rows=8, columns=8, seed=0)
    if storage:
        folder = savedmodel.export_saved_model(model, config, workdir / "saved_model", storage)
        print(f"SavedModel: {folder}", flush=True)
    facts = {"epochs": facts.pop("epochs"), "training": facts}
    plan = measurement.Plan(runs=runs, words=words)
    content, text, bins = measurement.measure(codec, config, dataset, classifier, plan, **facts)
    pictures.reliability_diagram(bins, workdir / "reliability.png")
    write_atomically(workdir / "metrics.json", provenance.to_json(content))
    print(text)
    print(f"numbers and pictures: {workdir}/metrics.json, {workdir}/*.png")


def _announce(config, workdir, model, distribution, policy, done):
    code, objective = config.code, config.objective
    print(
        f"{config.name}: {code.kind} code, {config.information_bits} information bits in {config.code_bits} code bits, "
        f"objective {objective.kind} with {objective.samples} sample(s), {model.count_params() / 1e6:.1f} M parameters, {distribution.num_replicas_in_sync} device(s), {policy}, "
        f"in {workdir}",
        flush=True,
    )
    if done >= config.training.epochs:
        print(f"trained for {done} epochs already", flush=True)
    elif done:
        print(f"going on after epoch {done} of {config.training.epochs}", flush=True)


def _is_first_worker(distribution):
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = distribution.cluster_resolver
    return resolver.task_type == "chief" or (
        resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict()
    )


def _wait_for_all(distribution):
    """Ends no worker before the first has measured: the others would take its silence for a failure, and it theirs."""
    if isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        context = tf.distribute.get_replica_context
        distribution.run(tf.function(lambda: context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))))
