"""Compares the ways to store a trained model: bytes on disk against what rounding changes.

    python -m export.storages --workdir=runs/coded_10_300 --out=storages.json

exports the newest checkpoint in every storage, loads each, and measures it with the same images, words and
random numbers as the one in float32. So the differences are paired, and much more certain than either number:
what is printed is the mean difference ± its standard error. A storage passes if no difference is larger than
the standard error that the whole measurement of the zoo has (10,000 images, 50 runs).
"""

import json
import math
import pathlib

from absl import flags

from tfcoded import cli
from tfcoded.storage import STORAGES
from tfcoded.utils import path_flags, text_tables
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder, write_atomically

FLAGS = flags.FLAGS

METRICS = ("psnr", "ssim", "accuracy", "entropy", "elbo", "ber", "wer", "log_likelihood_hard", "mse", "rate")

# What the zoo's entries are measured on.
_IMAGES, _RUNS, _LIKELIHOOD_IMAGES = 10_000, 50, 1000
_OF_RUNS = ("ber", "wer")


def define_flags():
    path_flags.define("workdir", None, "Folder of the training run.", check=for_tensorflow, required=True)
    flags.DEFINE_list("storages", None, "Some storages, by default all; float32 is always measured.")
    path_flags.define("out", None, "File to write (JSON); only printed if not given.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")
    flags.DEFINE_integer("images", 1000, "Measure on the first so many test images.", lower_bound=2)
    flags.DEFINE_integer("runs", 10, "Runs of the bit and word error rates.", lower_bound=2)
    flags.DEFINE_integer("words", 1000, "Words in each run.", lower_bound=1)
    flags.DEFINE_integer("likelihood_images", 200, "Images whose likelihood is measured (M up to 10).", lower_bound=2)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    path_flags.define("zoo_dir", None, "Folder of the zoo with the classifiers.")


def main():
    workdir = pathlib.Path(FLAGS.workdir)
    if not workdir.is_dir():
        raise UserError(f"--workdir {workdir} is not a folder; expected the --workdir of python -m tfcoded.train")
    unknown = [storage for storage in FLAGS.storages or () if storage not in STORAGES]
    if unknown:
        raise UserError(f"--storages: unknown {', '.join(unknown)}; choose from {', '.join(STORAGES)}")
    out = None if FLAGS.out is None else pathlib.Path(FLAGS.out)
    if out is not None:
        if out.is_dir() or (out.exists() and not FLAGS.overwrite):
            raise UserError(f"--out {out} exists; give another, or --overwrite to replace a file")
        writable_folder(out.parent)

    from tfcoded import data, families
    from tfcoded.runs import provenance
    from tfcoded.zoo import sources
    from tfcoded.zoo.restoring import restored_model

    epochs = sources.checkpoint_epochs(workdir)  # before the measurement: a training may go on meanwhile
    model, config = restored_model(workdir)
    families.refuse_flags(config, FLAGS)
    asked = FLAGS.storages or families.storages_of(config)
    for storage in asked:
        families.require_storage(storage, config)
    dataset = data.load(config.dataset, FLAGS.data_dir)
    dataset.require_shape(config.item_shape)
    if FLAGS["images"].present and FLAGS.images > len(dataset.test_images):
        raise UserError(f"--images={FLAGS.images}, but {dataset.name} has {len(dataset.test_images)} test images")
    classifier = sources.load_classifier(config.dataset, FLAGS.zoo_dir)
    # float32 first, which the others are compared with.
    chosen = [storage for storage in STORAGES if storage == "float32" or storage in asked]
    rows = [_measured(storage, model, config, dataset, classifier) for storage in chosen]
    content = compare(rows)
    content |= {
        "name": config.name,
        "epochs": epochs,
        "images": min(FLAGS.images, len(dataset.test_images)),
        "runs": FLAGS.runs,
        "words": FLAGS.words,
        "seed": FLAGS.seed,
        "command": provenance.command(),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
    }
    print(table(content), end="")
    if out is not None:
        write_atomically(out, json.dumps(content, indent=1, allow_nan=False) + "\n")
        print(f"written to {out}")


def compare(rows):
    """What storage changes.

    Args:
      rows: `(storage, bytes, samples)` of every storage, float32 first: `samples` is a `dict` from a metric's
        name to the numbers whose mean it is, in the same order in all of them.

    Returns:
      `dict`: `float32`, from a metric's name to its value, its standard error, and that of the zoo's
      measurement; `storages`, from a storage to its `bytes`, its `changes` (each the mean difference and its
      standard error) and whether it `passes`; `chosen`, the smallest that passes.
    """
    from tfcoded.metrics import estimate

    _, _, reference = rows[0]
    names = [name for name in METRICS if name in reference]
    base = {}
    for name in names:
        value, error = estimate(reference[name])
        whole = None if error is None else error * math.sqrt(len(reference[name]) / _whole(name))
        base[name] = {"value": value, "standard_error": error, "standard_error_of_the_zoo": whole}
    storages = {}
    for storage, size, samples in rows:
        changes = {}
        for name in names:
            differences = [ours - exact for ours, exact in zip(samples[name], reference[name], strict=True)]
            value, error = estimate(differences)
            changes[name] = {"value": value, "standard_error": error}
        limits = {name: base[name]["standard_error_of_the_zoo"] or 0.0 for name in names}
        passes = all(abs(changes[name]["value"]) <= limits[name] for name in names)
        storages[storage] = {"bytes": size, "changes": changes, "passes": passes}
    passing = [storage for storage in storages if storages[storage]["passes"]]
    chosen = min(passing, key=lambda storage: storages[storage]["bytes"])
    return {"float32": base, "storages": storages, "chosen": chosen}


def table(content):
    """The result of `compare` as Markdown."""
    base = content["float32"]
    lines = [["float32", _megabytes(content["storages"]["float32"])]]
    lines[-1] += [_number(each["value"], each["standard_error"]) for each in base.values()] + [""]
    lines.append(["± of the zoo", ""])
    lines[-1] += [_number(each["standard_error_of_the_zoo"], None) for each in base.values()] + [""]
    for storage, found in content["storages"].items():
        if storage != "float32":
            cells = [_number(each["value"], each["standard_error"], "+") for each in found["changes"].values()]
            lines.append([storage, _megabytes(found), *cells, "passes" if found["passes"] else "-"])
    found = text_tables.markdown(["storage", "MB", *base, ""], lines)
    return f"{found}\n\nThe smallest that passes: {content['chosen']}.\n"


def _whole(name):
    """Number of samples of a metric in the measurement of a zoo entry."""
    if name in _OF_RUNS:
        return _RUNS
    if name == "log_likelihood_hard":
        return _LIKELIHOOD_IMAGES
    return math.ceil(_IMAGES / 128) if name == "psnr" else _IMAGES


def _measured(storage, model, config, dataset, classifier):
    """`(storage, bytes, samples)`, see `compare`."""
    import tempfile

    import tensorflow as tf

    from tfcoded import families
    from tfcoded.evaluation.plan import Plan
    from tfcoded.zoo.saving import export_saved_model

    images = dataset.test_images[: FLAGS.images]
    labels = None if dataset.test_labels is None else dataset.test_labels[: FLAGS.images]
    plan = Plan(seed=FLAGS.seed, runs=FLAGS.runs, words=FLAGS.words, likelihood_images=FLAGS.likelihood_images)
    with tempfile.TemporaryDirectory() as folder:
        saved = export_saved_model(model, config, folder, storage, dataset.train_images)
        size = sum(file.stat().st_size for file in saved.rglob("*") if file.is_file())
        codec = tf.saved_model.load(str(saved))
    samples = families.of(config).samples(codec, config, images, labels, classifier, plan)
    return storage, size, {name: [float(value) for value in values] for name, values in samples.items()}


def _megabytes(found):
    return f"{found['bytes'] / 1e6:.1f}"


def _number(value, error, sign=""):
    """To two digits of the standard error, or of the number itself."""
    if value is None:
        return "-"
    scale = error or abs(value)
    digits = max(0, 1 - math.floor(math.log10(scale))) if scale else 0
    text = f"{value:{sign}.{digits}f}"
    return text if error is None else f"{text} ± {error:.{digits}f}"


if __name__ == "__main__":
    cli.run(main, define_flags)
