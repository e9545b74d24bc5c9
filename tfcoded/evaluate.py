"""Measures a trained model and writes metrics.json.

    python -m tfcoded.evaluate --model=coded_8_240
    python -m tfcoded.evaluate --saved_model=exported/coded_8_240 --images=1000 --runs=5
    python -m tfcoded.evaluate --workdir=runs/mine --split=train --out=runs/mine/metrics_train.json

Prints each metric with its standard error beside the published value. What is measured, and how:
tfcoded/metrics/protocol.py.
"""

import pathlib

from absl import flags

from tfcoded import cli, provenance, sources
from tfcoded.errors import UserError
from tfcoded.files import writable_folder, write_atomically

FLAGS = flags.FLAGS


def define_flags():
    sources.define_flags()
    flags.DEFINE_enum("split", "test", ["test", "train"], "Images to measure on.")
    flags.DEFINE_string("data_dir", None, "Folder of tensorflow-datasets.")
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_integer("images", None, "Use only the first so many images.", lower_bound=1)
    flags.DEFINE_integer("runs", 50, "Runs of the bit and word error rates.", lower_bound=1)
    flags.DEFINE_integer("words", 1000, "Words in each run.", lower_bound=1)
    flags.DEFINE_string("out", "metrics.json", "File to write.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")


def main():
    sources.check(FLAGS)
    out = pathlib.Path(FLAGS.out)
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; expected a file such as {out / 'metrics.json'}")
    if out.exists() and not FLAGS.overwrite:
        raise UserError(f"{out} exists; give another --out or --overwrite")
    writable_folder(out.parent)

    from tfcoded import data

    codec, config, epochs = sources.load(FLAGS)
    dataset = data.load(config.dataset, FLAGS.data_dir)
    dataset.require_shape(config.network.image_shape)
    content, text = measure(
        codec,
        config,
        dataset,
        sources.load_classifier(config.dataset, FLAGS.zoo_dir),
        split=FLAGS.split,
        images=FLAGS.images,
        seed=FLAGS.seed,
        runs=FLAGS.runs,
        words=FLAGS.words,
        epochs=epochs,
    )
    write_atomically(out, provenance.to_json(content))
    print(text)
    print(f"written to {out}")


def measure(codec, config, dataset, classifier, *, split="test", images=None, seed=0, runs=50, words=1000, **facts):
    """Measures a model on one split of its data set.

    Args:
      codec: the model, see `tfcoded.metrics.protocol`.
      config: its `tfcoded.config.Config`.
      dataset: `tfcoded.data.Dataset`.
      classifier: function from images to logits, or `None`.
      split: `test` or `train`.
      images: `int`, use only the first so many, or `None` for all.
      seed: `int`, of everything sampled.
      runs, words: `int`, runs of the error rates and words in each.
      **facts: more for the record, such as `epochs`.

    Returns:
      The content of a metrics.json, a `dict`, and the same as a table beside the published numbers, a `str`.
    """
    from tfcoded import metrics

    test = split == "test"
    pictures = (dataset.test_images if test else dataset.train_images)[:images]
    labels = dataset.test_labels if test else dataset.train_labels
    measured = metrics.evaluate(
        codec,
        pictures,
        None if labels is None else labels[:images],
        classifier,
        branches=config.code.information_bits,
        seed=seed,
        runs=runs,
        words=words,
    )
    published = published_on(config.published, split)
    notes = notes_on(measured, config.dataset, labels, classifier)
    content = provenance.record(
        config.name,
        measured,
        published,
        seed=seed,
        split=split,
        notes=notes,
        images=len(pictures),
        runs=runs,
        words=words,
        **facts,
    )
    return content, "\n".join([table(measured, published), *(f"note: {note}" for note in notes)])


def published_on(published, split):
    """The published numbers of a split, under the names that `tfcoded.metrics.evaluate` gives them.

    Args:
      published: `dict` of a configuration: numbers on the training images have names ending in `_train`.
      split: `str`, `test` or `train`.

    Returns:
      `dict`. Error rates belong to both splits: they are measured on random words and no image of a data set.

    Example:

    ```python
    published_on({"psnr": 17.9, "psnr_train": 19.3, "ber": 0.037}, "train")  # {"psnr": 19.3, "ber": 0.037}
    ```
    """
    published = {name: value for name, value in published.items() if not name.endswith("_parameters")}
    if split == "test":
        return {name: value for name, value in published.items() if not name.endswith("_train")}
    return {
        name.removesuffix("_train"): value
        for name, value in published.items()
        if name.endswith("_train") or name.startswith(("ber", "wer"))
    }


def notes_on(measured, dataset, labels, classifier):
    """Why metrics are missing, as a list of `str`; empty if none is."""
    notes = []
    if labels is None:
        notes.append("no accuracy: the images have no labels")
    elif classifier is None:
        notes.append(f"no accuracy: the zoo has no classifier for {dataset}")
    elif "confident_accuracy" not in measured:
        notes.append("no confident accuracy: no image has a word of posterior probability above 0.4")
    return notes


def table(measured, published):
    """Measured metrics beside the published ones.

    Args:
      measured: `dict` from a metric's name to a `tfcoded.metrics.Estimate`.
      published: `dict` from a metric's name to `float`.

    Returns:
      `str` of several lines.
    """
    rows = [("metric", "measured", "s.e.", "published")]
    for name in (*measured, *(name for name in published if name not in measured)):
        value, error = measured.get(name, (None, None))
        digits = 2 if value is not None and abs(value) >= 100 else 4
        rows.append(
            (
                name,
                "-" if value is None else f"{value:.{digits}f}",
                "-" if error is None else f"± {error:.{digits}f}",
                f"{published[name]:g}" if name in published else "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {error:>{widths[2]}}  {reported:>{widths[3]}}"
        for name, value, error, reported in rows
    )


if __name__ == "__main__":
    define_flags()
    cli.run(main)
