"""Trains a model and leaves numbers, pictures and a SavedModel.

    python -m tfcoded.train --model=coded_10_300
    python -m tfcoded.train --model=hier_5_50 --epochs=20 --workdir=runs/mine --override beta=10
    python -m tfcoded.train --config=mine.yaml --strategy=mirrored
    python -m tfcoded.train --model=bwlc_joint_snr1 --override dataset=cifar10 --override size=small

The same command goes on where an interrupted run stopped: same order of the images, same noise, same curve.
What the work directory holds: tfcoded/runs/workdir.py.
"""

import pathlib

from absl import flags

from tfcoded import cli, config as configuration, families, storage, zoo
from tfcoded.data import DATASETS
from tfcoded.evaluation.plan import Plan, runs_after
from tfcoded.runs.workdir import differences
from tfcoded.training import hardware
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import expanded, for_tensorflow
from tfcoded.zoo import sources

FLAGS = flags.FLAGS


def define_configuration_flags():
    """Defines what `chosen_config` reads besides --model, and the data and the seed of a training."""
    path_flags.define("config", None, "A configuration file of your own, in place of --model.")
    flags.DEFINE_multi_string("override", [], "Changes one setting, such as beta=10 or training.l2=0; may be repeated.")
    flags.DEFINE_integer("epochs", None, "Number of epochs, in place of the configuration's.", lower_bound=1)
    flags.DEFINE_integer("batch_size", None, "Images per step, of all devices together.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of weights, order and noise.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_integer("train_images", None, "Train on the first so many images only.", lower_bound=1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    path_flags.define("zoo_dir", None, f"Folder of the zoo; also {zoo.ENVIRONMENT}.")


def define_flags():
    flags.DEFINE_string("model", None, "Name of a configuration; python -m tfcoded.zoo lists them.")
    define_configuration_flags()
    path_flags.define(
        "workdir", None, "Folder of the run; by default runs/NAME of the configuration.", check=for_tensorflow
    )
    flags.DEFINE_enum("strategy", "auto", hardware.STRATEGIES, "Devices to train on.")
    flags.DEFINE_enum("dtype_policy", "auto", hardware.DTYPE_POLICIES, "Precision of the networks.")
    path_flags.define(
        "initial_weights",
        None,
        "Start from trained weights of the same networks: a run such as runs/NAME (its newest checkpoint), a checkpoint"
        " such as runs/NAME/checkpoints/epoch-200, or the folder of a SavedModel such as zoo/NAME.",
        check=for_tensorflow,
    )
    flags.DEFINE_integer(
        "images",
        None,
        "Measure on the first so many test images at the end; default: all, or as many as --train_images.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "runs",
        None,
        "Runs of the final bit and word error rates; default: 50, or one for every thousand of --train_images.",
        lower_bound=1,
    )
    sources.define_options(default=True, without=("runs",))
    sources.define_classifier_flag()
    flags.DEFINE_bool("export", True, "Export the SavedModel at the end.")
    flags.DEFINE_enum("storage", "float32", storage.STORAGES, "Storage of the exported weights.")


def chosen_config(values):
    """The configuration that the flags describe.

    Raises:
      UserError: if they name none, two, or an impossible one.
    """
    if (values.model is None) == (values.config is None):
        raise UserError("expected --model=NAME (python -m tfcoded.zoo lists them) or --config=FILE")
    config = zoo.config(values.model, values.zoo_dir) if values.model is not None else configuration.load(values.config)
    changes = list(values.override)
    if values.epochs is not None:
        changes.append(f"training.epochs={values.epochs}")
    if values.batch_size is not None:
        changes.append(f"training.batch_size={values.batch_size}")
    config = zoo.with_own_facts(configuration.override(config, changes), values.zoo_dir)
    images = pathlib.Path(expanded(config.dataset))
    if config.dataset not in DATASETS and images.exists():
        config = config.replace(dataset=str(images.resolve()))  # a path is found again from any folder
    return config


def _default_workdir(config):
    """The folder `runs/NAME`, which is not for others than the entry of this name."""
    reasons = [f"it starts from {FLAGS.initial_weights}"] if FLAGS.initial_weights else []
    if config.name in zoo.list(FLAGS.zoo_dir) and (reasons or FLAGS.config is not None):
        reasons += differences(config, zoo.config(config.name, FLAGS.zoo_dir))
    else:
        reasons = []
    if reasons:
        raise UserError(
            f"runs/{config.name} is for trainings of the zoo's entry {config.name}, and this is another"
            f" ({'; '.join(reasons)}); give it a name of its own, such as --override name=mine, or a --workdir"
        )
    return f"runs/{config.name}"


def main():
    config = chosen_config(FLAGS)
    families.refuse_flags(config, FLAGS)

    families.require_storage(FLAGS.storage, config)
    workdir = pathlib.Path(FLAGS.workdir or _default_workdir(config))

    from tfcoded.training.run import run

    options = sources.options(FLAGS)
    if options["runs"] is None:
        options["runs"] = runs_after(FLAGS.train_images)
    run(
        config,
        workdir,
        seed=FLAGS.seed,
        data_dir=FLAGS.data_dir,
        train_images=FLAGS.train_images,
        strategy=FLAGS.strategy,
        dtype_policy=FLAGS.dtype_policy,
        initial_weights=FLAGS.initial_weights,
        plan=Plan(images=FLAGS.images, **options),
        storage=FLAGS.storage if FLAGS.export else None,
        zoo_dir=FLAGS.zoo_dir,
        classifier=FLAGS.classifier,
    )


if __name__ == "__main__":
    cli.run(main, define_flags)
