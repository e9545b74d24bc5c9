"""A training run as its command does it: training, then pictures, the SavedModel and the measurement."""

import hashlib
import json
import shlex

import keras
import tensorflow as tf

from tfcoded import data, families, pictures
from tfcoded.evaluation import measurement
from tfcoded.evaluation.plan import Plan, runs_after
from tfcoded.runs import records
from tfcoded.training import hardware, loop, workers
from tfcoded.utils.files import for_tensorflow, write_atomically
from tfcoded.zoo import restoring, saving, sources

_EXPORTED = ".exported.json"


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
      seed, data_dir, train_images, strategy, dtype_policy, initial_weights: see `tfcoded.training.loop.train`.
      plan: `tfcoded.evaluation.plan.Plan` of the final measurement, or `None` for one as large as the training. Where it has
        no number of images, at most `train_images` are measured.
      storage: one of `tfcoded.storage.STORAGES` for the exported SavedModel, or `None` for no export.
      zoo_dir: folder of the zoo with the classifiers, or `None` for the default.
      classifier: folder of a classifier of one's own, or `None` for the zoo's of the data set.

    Raises:
      UserError: for anything wrong with data, folder or configuration, and if the loss or a weight becomes infinite or NaN.

    Example:

    ```python
    run(zoo.config("coded_8_80"), "runs/coded_8_80", seed=1)
    ```
    """
    workdir = for_tensorflow(workdir)
    distribution = hardware.strategy(strategy)  # before anything that starts TensorFlow's devices
    # Mistakes first: an hour of training must not end in one.
    plan = plan or Plan(runs=runs_after(train_images))
    config = config.without_published() if initial_weights else config
    families.of(config).require(config, plan.metrics)
    classifier = sources.load_classifier(config.dataset, zoo_dir, classifier)
    policy = hardware.dtype_policy(dtype_policy)
    dataset = loop.load(config, workdir, data_dir)
    if classifier is not None:
        classifier.require(dataset)
    images, _ = plan.chosen(dataset)
    if plan.images is None and train_images is not None:  # a quick try is to end quickly
        plan = plan.replace(images=min(len(data.first_images(dataset, train_images)), len(images)))
    job = loop.Job(seed, data_dir, train_images, distribution, policy, initial_weights)
    trained = loop.train_as(job, config, workdir, dataset)
    home = trained.home
    if home is not None and home.results(trained.epochs) is None:
        _finish(config, trained, classifier, plan, storage)
    elif home is not None:
        print(
            f"finished before; the results in {home.path} are kept as they are (python -m tfcoded.evaluate and "
            f"python -m export, with --workdir={shlex.quote(str(home.path))}, measure and export again)"
        )
    workers.wait_for_all(distribution)


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
    write_atomically(workdir / "metrics.json", records.to_json(content))
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
