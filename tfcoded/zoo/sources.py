"""Where evaluation and generation get a model from: the zoo, a SavedModel or a training run's folder."""

import json
from typing import NamedTuple

from absl import flags

from tfcoded import config as configuration, families, zoo
from tfcoded.metrics import registry
from tfcoded.metrics.frechet import inception_weights
from tfcoded.runs.workdir import read_run
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow
from tfcoded.zoo import folders, identity


class Source(NamedTuple):
    """A trained model.

    Attributes:
      codec: the object with the methods of its kind, see `tfcoded.families.Family.methods`.
      config: its configuration, `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`, with facts about this
        very model only.
      epochs: `int`, how long it was trained, or `None` if that is not known.
    """

    codec: object
    config: configuration.Configuration
    epochs: int | None


def define_flags():
    """Defines --model, --saved_model, --workdir and --zoo_dir."""
    flags.DEFINE_string("model", None, "Name of a zoo entry; python -m tfcoded.zoo lists them.")
    path_flags.define("saved_model", None, "Folder of a SavedModel, or of its version folders.", check=for_tensorflow)
    path_flags.define("workdir", None, "Folder of a training run; its latest checkpoint.", check=for_tensorflow)
    path_flags.define("zoo_dir", None, f"Folder of the zoo's SavedModels; also {zoo.ENVIRONMENT}.")


def define_metrics_flag():
    """Defines --metrics."""
    texts = [f"of {kind.noun} some of {', '.join(kind.metrics)}" for kind in families.FAMILIES]
    defaults = [",".join(kind.default_metrics) for kind in families.FAMILIES]
    flags.DEFINE_list("metrics", [], f"What to measure: {'; '.join(texts)}. By default {' or '.join(defaults)}.")


def define_options(default=False, without=()):
    """Defines the flags of the metrics' options.

    Args:
      default: `bool`, whether of those groups only that are measured by default.
      without: `str`s, options left out.
    """
    for name, option in registry.options(default).items():
        if name in without:
            continue
        if option.choices:
            flags.DEFINE_enum(name, option.default, option.choices, option.help)
        elif isinstance(option.default, str):
            flags.DEFINE_string(name, option.default, option.help)
        else:
            define = flags.DEFINE_float if isinstance(option.default, float) else flags.DEFINE_integer
            define(name, option.default, option.help, lower_bound=option.least, upper_bound=option.most)


def options(values):
    """The values of the options that have flags, a `dict`, for `tfcoded.evaluation.plan.Plan`.

    Args:
      values: absl's parsed flags.

    Raises:
      UserError: for NaN, which passes absl's bounds.
    """
    found = {name: values[name].value for name in registry.options() if name in values}
    for name, value in found.items():
        if value != value:
            known = registry.options()[name]
            raise UserError(f"--{name}=nan: expected a number from {known.least:g} to {known.most:g}")
    return found


def chosen_metrics(values):
    """The groups of metrics that --metrics names, a tuple of `str`; empty for the default ones.

    Args:
      values: absl's parsed flags.

    Raises:
      UserError: if a name is that of no group of any kind of model.
    """
    unknown = [name for name in values.metrics if name not in registry.METRICS]
    if unknown or (values["metrics"].present and not values.metrics):
        raise UserError(
            f"--metrics={','.join(values.metrics)}: expected some of {', '.join(registry.METRICS)}, separated by commas"
            "; those of a module of your own need --plugin=MODULE"
        )
    return tuple(values.metrics)


def define_inception_flag():
    """Defines --inception."""
    path_flags.define(
        "inception",
        None,
        f"File of the FID network's weights; also {inception_weights.ENVIRONMENT}; "
        f"default {inception_weights.default_path()}.",
    )


def check(values):
    """Refuses, without importing TensorFlow, what `load` would refuse first.

    Args:
      values: absl's parsed flags.

    Raises:
      UserError: unless exactly one source is given and it exists.
    """
    given = [name for name in ("model", "saved_model", "workdir") if getattr(values, name) is not None]
    if len(given) != 1:
        got = " and ".join(f"--{name}" for name in given) or "none"
        raise UserError(f"expected exactly one of --model, --saved_model and --workdir, got {got}")
    if values.model is not None:
        for_tensorflow(zoo.saved_model_path(values.model, values.zoo_dir))
    elif values.saved_model is not None:
        folders.saved_model_folder(values.saved_model)
    elif not folders.named(values.workdir, "--workdir").is_dir():
        raise UserError(
            f"--workdir {values.workdir} is not a folder; expected the --workdir of python -m tfcoded.train"
        )


def load(values):
    """Loads the model that the flags name.

    Args:
      values: absl's parsed flags.

    Returns:
      A `Source`.

    Raises:
      UserError: unless exactly one source is given and holds a model.
    """
    check(values)
    if values.model is not None:
        return load_entry(values.model, values.zoo_dir)
    if values.workdir is not None:
        return load_run(values.workdir, values.zoo_dir)
    folder = folders.saved_model_folder(values.saved_model)
    return _saved(zoo.load_saved_model(folder), folder, values.zoo_dir)


def load_entry(name, zoo_dir=None):
    """Loads an entry of the zoo, as a `Source`; see `tfcoded.zoo.load`."""
    return _saved(zoo.load(name, zoo_dir), zoo.saved_model_path(name, zoo_dir), zoo_dir)


def load_run(workdir, zoo_dir=None):
    """Loads the latest checkpoint of a training run, as a `Source`; see `tfcoded.zoo.restoring.load_workdir`."""
    from tfcoded.zoo.restoring import load_workdir

    workdir = folders.named(workdir, "workdir")
    epochs, codec = checkpoint_epochs(workdir), load_workdir(workdir)
    if checkpoint_epochs(workdir) != epochs:  # the training goes on, and finished an epoch meanwhile
        return load_run(workdir, zoo_dir)
    config = zoo.with_own_facts(identity.configuration_of(codec, workdir), zoo_dir)
    if (workdir / "run.json").is_file() and read_run(workdir).get("initial_weights"):
        config = config.without_published()
    return Source(codec, config, epochs)


def _saved(codec, folder, zoo_dir):
    config = zoo.with_own_facts(identity.configuration_of(codec, folder), zoo_dir)
    return Source(codec, config, _recorded_epochs(folder))


class Classifier:
    """A trained classifier: a function from images `[N, H, W, C]`, uint8 or float32 in [0, 1], to logits `[N, classes]`.

    Args:
      model: a SavedModel of `python -m tfcoded.train_classifier`.
      folder: `str` or path where it comes from, for messages.

    Raises:
      UserError: if it is a SavedModel of something else.
    """

    def __init__(self, model, folder):
        identity.require_methods(model, ("classify",), folder)
        self._model, self._folder = model, folder  # `model.classify` alone would not keep its own variables
        signature = model.signatures.get("classify")
        if signature is None:
            raise UserError(f"{folder} holds a SavedModel without the signature classify; expected one of a classifier")
        self._image_shape = tuple(signature.structured_input_signature[1]["images"].shape[1:])
        self._classes = signature.structured_outputs["logits"].shape[1]

    def __call__(self, images):
        return self._model.classify(images)

    def require(self, dataset):
        """Refuses a data set that the classifier cannot judge.

        Args:
          dataset: `tfcoded.data.Dataset`.

        Raises:
          UserError: if its images have another shape, or it has labels of more classes.
        """
        if tuple(dataset.image_shape) != self._image_shape:
            here, there = ("x".join(map(str, shape)) for shape in (dataset.image_shape, self._image_shape))
            raise UserError(
                f"the classifier in {self._folder} is of images of {there}; those of {dataset.name} are {here}"
            )
        for labels in (dataset.train_labels, dataset.test_labels):
            if labels is not None and (min(labels) < 0 or max(labels) >= self._classes):
                raise UserError(
                    f"the classifier in {self._folder} knows the labels 0 to {self._classes - 1}; those of {dataset.name}"
                    f" go from {min(labels)} to {max(labels)}"
                )


def define_classifier_flag():
    """Defines --classifier."""
    path_flags.define(
        "classifier",
        None,
        "Folder of a classifier for the semantic accuracy, the --out of python -m tfcoded.train_classifier; default: the"
        " zoo's of the data set, if there is one.",
        check=for_tensorflow,
    )


def load_classifier(dataset, zoo_dir=None, folder=None):
    """A classifier of one's own, or the zoo's of a data set.

    Args:
      dataset: `str`, name of the data set.
      zoo_dir: as in `tfcoded.zoo.directory`.
      folder: `str` or path of a classifier of one's own, or `None`.

    Returns:
      A `Classifier`; or `None` without `folder` if the zoo has none of this data set.

    Raises:
      UserError: if its files are damaged, or hold no classifier.
    """
    if folder is not None:
        version = folders.find_saved_model(folder)
        if version is None:
            raise UserError(
                f"--classifier {folder} holds no SavedModel; expected the --out of python -m tfcoded.train_classifier"
            )
        return Classifier(zoo.load_saved_model(version), version)
    if not isinstance(dataset, str):
        raise UserError(f"a data set is {dataset!r}; expected its name")
    name = f"{zoo.CLASSIFIER}{dataset}"
    if not zoo.has_weights(name, zoo_dir):
        return None
    return Classifier(zoo.load_trained(name, zoo_dir), zoo.trained_path(name, zoo_dir))


def checkpoint_epochs(workdir):
    """Number of the newest checkpoint of a training run, an `int`, or `None` if there is none.

    Of a run in parts it is the number that all of them have reached.

    Raises:
      UserError: if the file that names the newest checkpoint is damaged.
    """
    from tfcoded.runs.checkpoints import latest_epoch

    workdir = folders.named(workdir, "workdir")
    file = workdir / "config.yaml"
    parts = {}
    if file.is_file():
        config = configuration.load(file)
        parts = config.parts
    if parts:
        epochs = [checkpoint_epochs(workdir / name) for name in parts]
        return None if None in epochs else min(epochs)
    return latest_epoch(workdir)


def _recorded_epochs(folder):
    """The epochs in the metrics.json of the zoo entry or training run that a version folder lies in."""
    for parent in folder.resolve().parents[:2]:  # <entry>/1 in the zoo, <workdir>/saved_model/1 of a run
        try:
            return int(json.loads((parent / "metrics.json").read_text(encoding="utf-8"))["epochs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the number of epochs is told where it is known; nothing depends on it
    return None
