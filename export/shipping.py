"""A zoo entry from a finished training: SavedModel, measurements, golden outputs, pictures, card, hashes."""

import dataclasses
import json
import pathlib
import shutil

from tfcoded import config as configuration, zoo
from tfcoded.runs.workdir import differences, first_epochs, read_history, read_run
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, temporary_folder, write_atomically
from tfcoded.zoo import checksums, listing

VERSION = "1"
_PREFIX = ".shipping-"
_CARRIED = "config.yaml"
_TABLE_HEAD = """# All entries

What the papers report ("paper") beside what was measured here on the stored models ("here"), on the test images.
Weights are there where their size is; the folder of such an entry has a card with standard errors, pictures and how to
load it. `python -m tfcoded.train --model=NAME` trains any of them. Written by `python -m export.ship --cards`.

Of the discrete autoencoders M information bits are sent as D code bits, at the rate M/D; PSNR is in dB, entropy in bits.
Of the communication systems the rate is in bits per image: how far the symbols are from noise, which bounds what they say.
Their paper prints curves without numbers.
"""


@dataclasses.dataclass(frozen=True)
class Shipment:
    """A training run that is to become a zoo entry.

    Attributes:
      workdir: `pathlib.Path` of the run.
      config: configuration of the entry.
      zoo_dir: `pathlib.Path` of the folder of entries.
    """

    workdir: pathlib.Path
    config: configuration.Configuration
    zoo_dir: pathlib.Path

    @property
    def folder(self):
        """`pathlib.Path` of the entry."""
        return self.zoo_dir / self.config.name


def check(workdir, zoo_dir, overwrite=False):
    """Finds or names the entry that a training run belongs to, without importing TensorFlow.

    Args:
      workdir: `str` or path of the run.
      zoo_dir: `pathlib.Path` of the folder of entries.
      overwrite: `bool`, whether a SavedModel of the entry may be replaced.

    Returns:
      A `Shipment`.

    Raises:
      UserError: if the run is of another configuration than the entry of its name (more or fewer epochs are
        fine), started from given weights where published numbers would stand beside, or the entry has a SavedModel
        already. If there is no entry of its name, one with the run's configuration is made.
    """
    workdir, zoo_dir = pathlib.Path(for_tensorflow(workdir)), pathlib.Path(for_tensorflow(zoo_dir))
    if not (workdir / "config.yaml").is_file():
        raise UserError(f"{workdir} has no config.yaml; expected the --workdir of python -m tfcoded.train")
    run = configuration.load(workdir / "config.yaml")
    rename = f"to ship it as a model of its own, change the name in {workdir / 'config.yaml'}"
    if run.name.startswith(zoo.CLASSIFIER):
        raise UserError(f"{workdir} trained {run.name}, whose name is one of classifiers; {rename}")
    known = run.name in zoo.list(zoo_dir)
    shipment = Shipment(workdir, zoo.config(run.name, zoo_dir) if known else run.without_published(), zoo_dir)
    changed = differences(run, shipment.config)
    if changed:
        raise UserError(f"{workdir} is no training of the entry {run.name}: {'; '.join(changed)}; {rename}")
    start = read_run(workdir).get("initial_weights")
    if start and shipment.config.published:
        raise UserError(
            f"{workdir} started from the weights of {start}, and what is published of the entry {run.name} is of"
            f" trainings from scratch; {rename}"
        )
    if (shipment.folder / VERSION).exists() and not overwrite:
        raise UserError(
            f"{shipment.folder / VERSION} exists; give --overwrite to replace it and what was measured of it"
        )
    return shipment


def ship(shipment, dataset, classifier, plan, storage, train_plan=None):
    """Makes a zoo entry; it appears under its name once everything of it is there.

    Everything is measured on the SavedModel as it is stored, loaded again.

    Args:
      shipment: a `Shipment`.
      dataset: its `tfcoded.data.Dataset`.
      classifier: function from images to logits, or `None`.
      plan: `tfcoded.evaluation.plan.Plan` of the test images.
      storage: one of `tfcoded.storage.STORAGES`.
      train_plan: a plan of the training images, for `metrics_train.json`, or `None`.

    Returns:
      `pathlib.Path` of the entry, and the measurements beside the published ones, a `str`.

    Raises:
      UserError: if the run has no checkpoint, was trained on a part of the data only, or cannot be measured.
    """
    import tensorflow as tf

    from export import card
    from tfcoded import pictures
    from tfcoded.evaluation import measurement
    from tfcoded.runs import records
    from tfcoded.zoo import golden, sources
    from tfcoded.zoo.restoring import restored_model
    from tfcoded.zoo.saving import export_saved_model

    workdir, config = shipment.workdir, shipment.config
    dataset.require_shape(config.item_shape)
    plan.chosen(dataset)  # refuses more images than there are
    if classifier is not None:
        classifier.require(dataset)
    epochs = sources.checkpoint_epochs(workdir)
    model, _ = restored_model(workdir)
    if sources.checkpoint_epochs(workdir) != epochs:
        raise UserError(f"the training in {workdir} went on meanwhile; wait for it")
    training = _training(workdir, epochs, config)
    if training.get("train_images") != len(dataset.train_images):
        raise UserError(
            f"{workdir} was trained on {training.get('train_images')} of {len(dataset.train_images)} images; an entry"
            " of the zoo is trained on all of them"
        )
    with temporary_folder(shipment.zoo_dir, _PREFIX) as temporary:
        new = temporary / "new"
        new.mkdir()
        _carry(shipment, new)
        saved = export_saved_model(model, config, new, storage, dataset.train_images)
        codec = tf.saved_model.load(str(saved))
        size = sum(file.stat().st_size for file in saved.rglob("*") if file.is_file())
        facts = {"epochs": epochs, "training": training, "storage": storage, "bytes": size}
        scratch = workdir / f".shipping.{storage}.npz"
        content, text, bins = measurement.measure(codec, config, dataset, classifier, plan, scratch=scratch, **facts)
        write_atomically(new / "metrics.json", records.to_json(content))
        if train_plan is not None:
            content, _, _ = measurement.measure(codec, config, dataset, classifier, train_plan, **facts)
            write_atomically(new / "metrics_train.json", records.to_json(content))
        write_atomically(new / "golden.npz", golden.record(codec, config, dataset.test_images))
        history = _history(workdir, epochs)
        if history:
            write_atomically(new / "history.json", json.dumps(history) + "\n")
        _draw(codec, config, dataset.test_images, history, new)
        if bins:
            pictures.reliability_diagram(bins, new / "reliability.png", config.name)
        card.write(new)
        checksums.forget(shipment.zoo_dir, config.name)  # makes an index if there is none
        checksums.exchange(shipment.zoo_dir, config.name, new, card.FILES)
    scratch.unlink(missing_ok=True)
    return shipment.folder, text


def write_cards(zoo_dir):
    """Writes the cards of all entries of a folder that have a SavedModel and measurements, and the table of all.

    Args:
      zoo_dir: `pathlib.Path` of the folder of entries.

    Returns:
      list of `pathlib.Path` of the cards and the table.
    """
    from export import card

    cards = [
        card.write(path.parent)
        for path in sorted(zoo_dir.glob("*/metrics.json"))
        if (path.parent / VERSION).is_dir() and not path.parent.name.startswith(zoo.CLASSIFIER)
    ]
    return [*cards, write_table(zoo_dir)]


def table_path(zoo_dir):
    """Where the table of a folder's entries is or will be, `pathlib.Path`.

    Args:
      zoo_dir: `pathlib.Path` of the folder of entries.

    Raises:
      UserError: if there is a README.md that was written by somebody else.
    """
    path = zoo_dir / "README.md"
    title = _TABLE_HEAD.partition("\n")[0]
    if path.exists() and not path.read_text(encoding="utf-8").startswith(title):
        raise UserError(
            f"{path} does not begin with '{title}' and is left as it is; move it: the table of all entries is written there"
        )
    return path


def write_table(zoo_dir):
    """Writes the README.md of a folder of entries: published and measured numbers of the entries in it.

    Args:
      zoo_dir: `pathlib.Path` of the folder.

    Returns:
      `pathlib.Path` of the README.md.

    Raises:
      UserError: as `table_path`.
    """
    path = table_path(zoo_dir)
    names = [name for name in zoo.list(zoo_dir) if (zoo_dir / name).is_dir()]
    table = listing.render({name: zoo.config(name, zoo_dir) for name in names}, zoo_dir, "markdown")
    write_atomically(path, f"{_TABLE_HEAD}\n{table}\n")
    return path


def _carry(shipment, new):
    """Copies the entry's configuration, from which the card is made, and which this folder may lack."""
    source = zoo.find(f"{shipment.config.name}/{_CARRIED}", shipment.zoo_dir)
    if source is None:  # a model of one's own
        write_atomically(new / _CARRIED, configuration.to_yaml(shipment.config))
    else:
        shutil.copyfile(source, new / _CARRIED)


def _draw(codec, config, images, history, new):
    """Draws what the model makes of images and of nothing, and how it was trained, into the folder `new`."""
    from tfcoded import families, pictures

    families.of(config).draw(codec, config, images, new, rows=8, columns=8, seed=0)
    curves = pictures.curves(history)
    if curves:
        pictures.learning_curves(curves, new / "learning_curves.png", config.name)


def _training(workdir, epochs, config):
    """How a run was trained, as far as its folder knows: `dict` for metrics.json."""
    facts = {**read_run(workdir), "epochs_planned": config.training.epochs}
    seconds = _history(workdir, epochs).get("seconds", [])
    if len(seconds) == epochs:
        facts["seconds"] = round(sum(seconds), 1)
    imported, measured = _json(workdir / "pjrt.json"), _json(workdir / "metrics.json")
    if imported:
        facts |= {"device": imported.get("device"), "through": "python -m export.pjrt"}
        facts |= {"jax": imported.get("jax"), "weights_came_as": imported.get("storage")}
        facts["seconds"] = imported.get("seconds", facts.get("seconds"))
    elif measured.get("epochs") == epochs:
        facts["device"] = measured.get("hardware")
    return {name: value for name, value in facts.items() if value is not None}


def _history(workdir, epochs):
    """Metrics of the first epochs, a `dict` of lists; a training that was cut short may have recorded one more."""
    return first_epochs(read_history(workdir), epochs)


def _json(path):
    """The content of a file, a `dict`; empty if there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); delete it to go on without it") from error
