"""Measures a trained model and writes metrics.json; or prints a table of the paper with our numbers.

    python -m tfcoded.evaluate --model=coded_8_240
    python -m tfcoded.evaluate --saved_model=exported/coded_8_240 --images=1000 --runs=5
    python -m tfcoded.evaluate --workdir=runs/mine --split=train --out=runs/mine/metrics_train.json
    python -m tfcoded.evaluate --workdir=runs/mine --metrics=likelihood --out=runs/mine/metrics.json --add
    python -m tfcoded.evaluate --workdir=runs/mine --metrics=frechet --out=runs/mine/metrics.json --add
    python -m tfcoded.evaluate --workdir=runs/mine --over=bsc:0,0.05,0.1,0.2,0.3 --out=runs/mine/noisy.json
    python -m tfcoded.evaluate --table=9 --runs_dir=runs

    python -m tfcoded.evaluate --workdir=runs/bwlc_prior_gaussian --draws=8

Prints each metric with its standard error beside the published value. Calibration also writes a picture,
`<out>_reliability.png` without the ending of --out; --over writes `<out>_over.png`. What is measured, and how:
tfcoded/metrics/.
"""

import json
import pathlib
import sys

from absl import flags

from tfcoded import cli, families
from tfcoded.evaluation import measurement, noisy_channel, tables
from tfcoded.evaluation.plan import SPLITS, Plan
from tfcoded.metrics.frechet import inception_weights
from tfcoded.runs import records
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder, write_atomically
from tfcoded.zoo import sources

FLAGS = flags.FLAGS

_OF_TABLES = ("plugin", "table", "runs_dir", "zoo_dir", "format", "out", "overwrite")


def define_flags():
    sources.define_flags()
    sources.define_metrics_flag()
    flags.DEFINE_enum("split", "test", list(SPLITS), "Images to measure on.")
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_integer("images", None, "Use only the first so many images.", lower_bound=1)
    sources.define_options()
    sources.define_inception_flag()
    sources.define_classifier_flag()
    flags.DEFINE_string(
        "over",
        None,
        "Measure only what arrives of the code bits over a noisy channel: bsc:<flip probabilities>, separated by "
        "commas, or bec:<erasure probabilities>.",
    )
    path_flags.define("out", "metrics.json", "File to write.")
    flags.DEFINE_bool("overwrite", False, "Replace existing files; with --add, metrics that are there already.")
    flags.DEFINE_bool("add", False, "Add the metrics to an existing file of the same model and images.")
    flags.DEFINE_integer("table", None, "Print this table of the paper (1 to 21) with our numbers; measures nothing.")
    path_flags.define("runs_dir", None, "With --table: our numbers from the runs RUNS_DIR/<entry>, not the zoo.")
    flags.DEFINE_enum("format", "markdown", list(tables.FORMATS), "Of --table.")


def main():
    if FLAGS.table is not None:
        _print_table()
        return
    _refuse_flags(("runs_dir", "format"), "without --table")
    plan = _plan()
    sweep = _sweep()
    sources.check(FLAGS)
    before = _read(FLAGS.out) if FLAGS.add else None
    out = pathlib.Path(FLAGS.out) if FLAGS.add else _free(FLAGS.out)
    writable_folder(out.parent)

    from tfcoded import data, pictures

    codec, config, epochs = sources.load(FLAGS)
    families.refuse_flags(config, FLAGS)
    kind = families.of(config)
    plan = plan.replace(metrics=kind.require(config, plan.metrics))
    picture = out.with_name(f"{out.stem}_{'reliability' if sweep is None else 'over'}.png")
    if sweep is not None or any(group.reliability for group in plan.groups):
        _refuse_existing(picture)
    if before:
        planned = {"name": config.name, "split": plan.split, "epochs": epochs, "metrics": plan.signs}
        records.check_addition(before, planned, replace=FLAGS.overwrite)
    if plan.needs("inception") and config.network.image_shape[2] == 3 and plan.inception is None:
        raise UserError(
            f"--metrics={','.join(group.name for group in plan.groups if 'inception' in group.needs)} needs --inception; {inception_weights.how_to_get()}"
        )
    dataset = data.load(config.dataset, FLAGS.data_dir)
    dataset.require_shape(config.item_shape)
    classifier = sources.load_classifier(config.dataset, FLAGS.zoo_dir, FLAGS.classifier)
    if classifier is not None:
        classifier.require(dataset)
    if sweep is not None:
        content, text, curves = noisy_channel.measure(codec, config, dataset, classifier, plan, sweep, epochs=epochs)
        pictures.transmission_curves(path=picture, heading=config.name, **curves)
        write_atomically(out, records.to_json(content))
        print(text)
        print(f"written to {out} and {picture}")
        return
    scratch = out.with_name(f".{out.name}.likelihood.npz")
    content, text, bins = measurement.measure(codec, config, dataset, classifier, plan, scratch=scratch, epochs=epochs)
    if before:
        content = records.merge(before, content, replace=FLAGS.overwrite)
    if bins:
        pictures.reliability_diagram(bins, picture, config.name)
    write_atomically(out, records.to_json(content))
    scratch.unlink(missing_ok=True)
    print(text)
    print(f"written to {out}")


def _plan():
    plan = Plan(
        metrics=sources.chosen_metrics(FLAGS),
        split=FLAGS.split,
        images=FLAGS.images,
        seed=FLAGS.seed,
        **sources.options(FLAGS),
    )
    return plan.replace(inception=inception_weights.locate(FLAGS.inception)) if plan.needs("inception") else plan


def _sweep():
    """The channels of --over, or `None` without it."""
    if FLAGS.over is None:
        return None
    for name in ("metrics", "add"):
        if FLAGS[name].present:
            raise UserError(f"--over measures nothing else and writes a file of its own; leave out --{name}")
    return noisy_channel.parse(FLAGS.over)


def _refuse_flags(names, where):
    """Refuses those flags of `names` that were given."""
    given = [f"--{name}" for name in names if FLAGS[name].present]
    if given:
        them = "it" if len(given) == 1 else "them"
        raise UserError(f"{' and '.join(given)} would do nothing {where}; leave {them} out")


def _print_table():
    mine = (flag.name for flag in FLAGS.get_key_flags_for_module(sys.argv[0]))
    _refuse_flags([name for name in mine if name not in _OF_TABLES], "with --table, which measures nothing")
    text = tables.render(FLAGS.table, FLAGS.zoo_dir, FLAGS.runs_dir, FLAGS.format)
    if FLAGS["out"].present:
        write_atomically(_free(FLAGS.out), text)
        print(f"written to {FLAGS.out}")
    else:
        print(text, end="")


def _read(name):
    """The content of the file that --add adds to."""
    try:
        content = json.loads(pathlib.Path(name).read_text(encoding="utf-8"))
        if not isinstance(content["metrics"], dict) or not isinstance(content["notes"], list):
            raise ValueError("no metrics")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--add: {name} is missing or no metrics.json ({error}); measure without --add first") from None
    return content


def _free(name):
    """The path of --out, if it can be written."""
    out = pathlib.Path(name)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; expected a file such as {out / 'metrics.json'}")
    _refuse_existing(out)
    return out


def _refuse_existing(path):
    if path.exists() and not FLAGS.overwrite:
        raise UserError(f"{path} exists; give another --out or --overwrite")


if __name__ == "__main__":
    cli.run(main, define_flags)
