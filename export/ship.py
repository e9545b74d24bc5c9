"""Makes zoo entries of finished trainings.

    python -m export.ship --workdir=runs/coded_10_300 --storage=int5
    python -m export.ship --workdir=runs/uncoded_8 --workdir=runs/coded_8_240 --train
    python -m export.ship --cards

writes into `<zoo_dir>/<entry>/`
  1/                   the SavedModel in the given storage
  metrics.json         measured on that SavedModel, and metrics_train.json with --train
  golden.npz           a few inputs and outputs, for python -m tfcoded.zoo verify
  *.png, README.md     pictures, and the card, which --cards writes again for every entry
and its hashes into `<zoo_dir>/SHA256SUMS`.
"""

from absl import flags

from export import STORAGES, shipping
from tfcoded import cli, inception_weights, measurement, sources, zoo
from tfcoded.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_multi_string("workdir", [], "Folder of a training run; may be given several times.")
    flags.DEFINE_bool(
        "cards", False, "Write the cards of all entries again, from what was measured; ships nothing."
    )
    flags.DEFINE_enum(
        "storage", "float32", STORAGES, "How kernels are stored, see python -m export.storages."
    )
    flags.DEFINE_string(
        "zoo_dir", None, f"Folder of zoo entries; default: ${zoo.ENVIRONMENT}, the clone's zoo/."
    )
    flags.DEFINE_bool(
        "overwrite", False, "Replace SavedModels of the same entries and what was measured of them."
    )
    flags.DEFINE_list("metrics", list(measurement.DEFAULT), f"Some of {', '.join(measurement.METRICS)}.")
    flags.DEFINE_bool("train", False, "Measure reconstructions of the training images too.")
    flags.DEFINE_integer("images", None, "Measure on the first so many images only.", lower_bound=1)
    flags.DEFINE_integer("runs", 50, "Runs of the bit and word error rates.", lower_bound=1)
    flags.DEFINE_integer("words", 1000, "Words in each run.", lower_bound=1)
    flags.DEFINE_integer("likelihood_images", 1000, "Images whose likelihood is measured.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the measurement.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_string("data_dir", None, "Folder of tensorflow-datasets.")
    sources.define_inception_flag()


def main():
    zoo_dir = zoo.directory(FLAGS.zoo_dir)
    if FLAGS.cards:
        if FLAGS.workdir:
            raise UserError("--cards ships nothing; give it without --workdir")
        for path in shipping.write_cards(zoo_dir):
            print(path)
        return
    plan, train_plan = _plans()
    if not FLAGS.workdir:
        raise UserError("expected at least one --workdir, or --cards")
    shipments = [shipping.check(workdir, zoo_dir, FLAGS.overwrite) for workdir in FLAGS.workdir]
    names = [shipment.config.name for shipment in shipments]
    if len(set(names)) < len(names):
        raise UserError(f"two of --workdir are trainings of one entry: {', '.join(names)}")

    from tfcoded import data

    datasets = {}
    for shipment in shipments:
        name = shipment.config.dataset
        if name not in datasets:
            datasets[name] = data.load(name, FLAGS.data_dir), sources.load_classifier(name, FLAGS.zoo_dir)
        folder, text = shipping.ship(shipment, *datasets[name], plan, FLAGS.storage, train_plan)
        print(f"{text}\n{folder}", flush=True)


def _plans():
    """The plans of the test images and, with --train, of the training images."""
    unknown = [name for name in FLAGS.metrics if name not in measurement.METRICS]
    if unknown or "reconstruction" not in FLAGS.metrics:
        raise UserError(
            f"--metrics={','.join(FLAGS.metrics)}: expected reconstruction and others of"
            f" {', '.join(measurement.METRICS)}, separated by commas"
        )
    common = {"images": FLAGS.images, "seed": FLAGS.seed}
    plan = measurement.Plan(
        metrics=tuple(FLAGS.metrics),
        runs=FLAGS.runs,
        words=FLAGS.words,
        likelihood_images=FLAGS.likelihood_images,
        inception=inception_weights.locate(FLAGS.inception) if "frechet" in FLAGS.metrics else None,
        **common,
    )
    train = measurement.Plan(metrics=("reconstruction",), split="train", **common) if FLAGS.train else None
    return plan, train


if __name__ == "__main__":
    define_flags()
    cli.run(main)
