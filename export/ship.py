"""Makes zoo entries of finished trainings.

    python -m export.ship --workdir=runs/coded_10_300 --storage=compensated
    python -m export.ship --workdir=runs/uncoded_8 --workdir=runs/coded_8_240 --train
    python -m export.ship --cards

writes into `<zoo_dir>/<entry>/`
  1/                   the SavedModel in the given storage
  metrics.json         measured on that SavedModel, and metrics_train.json with --train
  history.json         metrics of every epoch of the training
  golden.npz           a few inputs and outputs, for python -m tfcoded.zoo verify
  *.png, README.md     pictures, and the card, which --cards writes again for every entry
and its hashes into `<zoo_dir>/SHA256SUMS`. `<zoo_dir>/README.md`, the table of all entries, follows. A training of
one's own, whose name is that of no entry, becomes a new one.
"""

from absl import flags

from export import shipping
from tfcoded import cli, families, zoo
from tfcoded.evaluation.plan import Plan
from tfcoded.metrics.frechet import inception_weights
from tfcoded.storage import STORAGES
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow
from tfcoded.zoo import sources

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define_multi(
        "workdir", [], "Folder of a training run; may be given several times.", check=for_tensorflow
    )
    flags.DEFINE_bool(
        "cards", False, "Write the cards and the table of all entries again, from what was measured; ships nothing."
    )
    flags.DEFINE_enum("storage", "float32", STORAGES, "How kernels are stored, see python -m export.storages.")
    path_flags.define("zoo_dir", None, f"Folder of zoo entries; default: ${zoo.ENVIRONMENT}, the clone's zoo/.")
    flags.DEFINE_bool("overwrite", False, "Replace SavedModels of the same entries and what was measured of them.")
    sources.define_metrics_flag()
    flags.DEFINE_bool("train", False, "Measure on the training images too: of a Coded-DVAE reconstructions.")
    flags.DEFINE_integer("images", None, "Measure on the first so many images only.", lower_bound=1)
    sources.define_options()
    flags.DEFINE_integer("seed", 0, "Seed of the measurement.", lower_bound=0, upper_bound=2**31 - 1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    sources.define_inception_flag()
    sources.define_classifier_flag()


def main():
    zoo_dir = zoo.directory(FLAGS.zoo_dir)
    if FLAGS.cards:
        if FLAGS.workdir:
            raise UserError("--cards ships nothing; give it without --workdir")
        for path in shipping.write_cards(zoo_dir):
            print(path)
        return
    sources.chosen_metrics(FLAGS)
    if not FLAGS.workdir:
        raise UserError("expected at least one --workdir, or --cards")
    shipping.table_path(zoo_dir)  # may be refused, and is better refused before everything is measured
    shipments = [shipping.check(workdir, zoo_dir, FLAGS.overwrite) for workdir in FLAGS.workdir]
    names = [shipment.config.name for shipment in shipments]
    if len(set(names)) < len(names):
        raise UserError(f"two of --workdir are trainings of one entry: {', '.join(names)}")
    plans = [_plans(shipment.config) for shipment in shipments]

    from tfcoded import data

    datasets = {}
    for shipment, (plan, train_plan) in zip(shipments, plans, strict=True):
        name = shipment.config.dataset
        if name not in datasets:
            datasets[name] = (
                data.load(name, FLAGS.data_dir),
                sources.load_classifier(name, FLAGS.zoo_dir, FLAGS.classifier),
            )
        folder, text = shipping.ship(shipment, *datasets[name], plan, FLAGS.storage, train_plan)
        print(f"{text}\n{folder}", flush=True)
    print(shipping.write_table(zoo_dir))


def _plans(config):
    """The plans of the test images and, with --train, of the training images."""
    kind = families.of(config)
    families.refuse_flags(config, FLAGS)
    families.require_storage(FLAGS.storage, config)
    metrics = kind.require(config, sources.chosen_metrics(FLAGS))
    first = kind.metrics[0]  # what an entry is known by
    if first not in metrics:
        raise UserError(f"--metrics={','.join(metrics)}: expected {first} and others of {', '.join(kind.metrics)}")
    plan = Plan(
        metrics=metrics,
        images=FLAGS.images,
        seed=FLAGS.seed,
        **sources.options(FLAGS),
    )
    if plan.needs("inception"):
        plan = plan.replace(inception=inception_weights.locate(FLAGS.inception))
    return plan, plan.replace(metrics=(first,), split="train") if FLAGS.train else None


if __name__ == "__main__":
    cli.run(main, define_flags)
