"""Trains the classifier that measures semantic accuracy and stores it in the zoo.

    python -m tfcoded.train_classifier --dataset=fashion_mnist --epochs=7 --batch_size=64 --out=zoo/classifier_fashion_mnist
    python -m tfcoded.train_classifier --dataset=mnist --epochs=3 --out=zoo/classifier_mnist
    python -m tfcoded.train_classifier --dataset=cifar10 --epochs=12 --learning_rate=1e-3 --out=zoo/classifier_cifar10
    python -m tfcoded.train_classifier --dataset=mine.npz --out=classifier  # then --classifier=classifier elsewhere

writes OUT/1 (a SavedModel, see tfcoded/networks/folded_classifier.py), OUT/metrics.json and OUT/README.md.
The test accuracy is measured on the stored SavedModel. An interrupted training goes on after its last finished epoch,
which OUT/.training.npz holds.
"""

import math
import pathlib

from absl import flags

from tfcoded import cli
from tfcoded.data import DATASETS
from tfcoded.runs import records
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, lock, temporary_folder, writable_folder, write_atomically
from tfcoded.zoo import checksums

FLAGS = flags.FLAGS

UNFINISHED = ".training.npz"
_NEW = ".new."

README = """# {name}

Says what an image of {dataset} shows: {labels}.
Trained on the true images, it measures the semantic accuracy of reconstructions (`accuracy` and
`confident_accuracy` of `python -m tfcoded.evaluate`).

| | |
| --- | --- |
| test accuracy of the stored model | {accuracy:.4f} ± {error:.4f} ({images:,} images) |
| training | {epochs} epochs, seed {seed} |
| stored numbers | {parameters:,}, float32 |

Network: {convolutions};
flatten; dense 1024; dropout 0.25; dense 128; dense {classes}, with no activation between the dense layers. For use,
the batch norms are folded into the convolutions and the dense layers into one: the same function in {megabytes:.1f} MB.

    classifier = tf.saved_model.load("{out}/1")
    logits = classifier.classify(images)  # {shape}, uint8, or float32 in [0, 1] -> [N, {classes}]

Signatures: `classify` (uint8; also `serving_default`) and `classify_float`, `images` -> `logits`, any batch
size.

Made by

    {command}

on the hardware, with the versions and on the date in metrics.json.
{licence}"""
LICENCE = """
Licence of the weights: Apache License 2.0, as this repository (`LICENSE`), as far as the terms of the training data allow.
"""


def _labelled():
    """Names of the data sets whose labels are known, sorted."""
    return sorted(name for name, each in DATASETS.items() if each.labels)


def define_flags():
    path_flags.define(
        "dataset",
        "fashion_mnist",
        f"Data set: {', '.join(_labelled())}, or the path of an .npz file of images with labels, see"
        " tfcoded/data/files.py.",
    )
    path_flags.define(
        "out", None, "Folder to write, such as zoo/classifier_mnist.", check=for_tensorflow, required=True
    )
    flags.DEFINE_integer("epochs", 8, "Epochs.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 128, "Images per step.", lower_bound=1)
    flags.DEFINE_float("learning_rate", 5e-4, "Adam's; it decays to zero along a cosine.", lower_bound=0)
    flags.DEFINE_integer(
        "seed", 0, "Seed of weights, order, augmentation and dropout.", lower_bound=0, upper_bound=10**8
    )
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    flags.DEFINE_bool("overwrite", False, "Replace an existing OUT.")


def main():
    if not 0 < FLAGS.learning_rate < math.inf:  # false for NaN too
        raise UserError(f"--learning_rate={FLAGS.learning_rate:g}: expected a positive number")
    if FLAGS.dataset not in _labelled() and not pathlib.Path(FLAGS.dataset).is_file():
        raise UserError(
            f"--dataset={FLAGS.dataset}: expected {'|'.join(_labelled())}, or the path of an .npz file of images with"
            " labels"
        )
    out = writable_folder(FLAGS.out)
    if any(not child.name.startswith(".") for child in out.iterdir()) and not FLAGS.overwrite:
        raise UserError(f"{out} is not empty; give another --out or --overwrite")
    held = lock(out)
    checksums.read(out.parent)  # a damaged index of a zoo is told now

    import tensorflow as tf

    from tfcoded import data
    from tfcoded.metrics import estimate
    from tfcoded.training.classifier import require_labels, train

    tf.config.experimental.enable_op_determinism()
    dataset = data.load(FLAGS.dataset, FLAGS.data_dir)
    require_labels(dataset)
    classifier = train(
        dataset,
        epochs=FLAGS.epochs,
        batch_size=FLAGS.batch_size,
        learning_rate=FLAGS.learning_rate,
        seed=FLAGS.seed,
        backup=out / UNFINISHED,
    )
    folded = classifier.folded(dataset.train_images.shape[1:])
    with temporary_folder(out, _NEW) as made:
        new = made / "new"
        tf.saved_model.save(folded, str(new / "1"), folded.signatures())
        stored = tf.saved_model.load(str(new / "1"))
        correct = []
        for start in range(0, len(dataset.test_images), 1000):
            logits = stored.classify(tf.constant(dataset.test_images[start : start + 1000]))
            correct.extend(tf.argmax(logits, axis=-1).numpy() == dataset.test_labels[start : start + 1000])
        accuracy = estimate(correct)
        _describe(new, out, dataset, classifier, folded, accuracy)
        checksums.exchange(out.parent, out.name, new)
    (out / UNFINISHED).unlink()
    held.close()
    print(f"test accuracy {accuracy.value:.4f} ± {accuracy.standard_error:.4f}; written to {out}")


def _describe(folder, out, dataset, classifier, folded, accuracy):
    """Writes metrics.json and the card into `folder`, of what will lie in `out`."""
    name, shape = f"classifier_{dataset.name}", dataset.image_shape
    known = FLAGS.dataset in _labelled()
    content = records.record(name, {"accuracy": accuracy}, {}, seed=FLAGS.seed, epochs=FLAGS.epochs)
    parameters = sum(variable.shape.num_elements() for variable in folded.variables)
    readme = README.format(
        name=name,
        out=out,
        dataset=dataset.name,
        labels=DATASETS[FLAGS.dataset].labels if known else f"one of {classifier.classes} classes",
        classes=classifier.classes,
        images=len(dataset.test_images),
        accuracy=accuracy.value,
        error=accuracy.standard_error,
        epochs=FLAGS.epochs,
        seed=FLAGS.seed,
        parameters=parameters,
        megabytes=parameters * 4e-6,
        convolutions=";\n".join(
            f"conv 3x3 {'valid' if index else 'same'} {number}, batch norm, ReLU, max-pool 2"
            for index, number in enumerate(classifier.filters)
        ),
        shape=f"[N, {', '.join(map(str, shape))}]",
        command=content["command"],
        licence=LICENCE if known else "",
    )
    write_atomically(folder / "README.md", readme)
    write_atomically(folder / "metrics.json", records.to_json(content))


if __name__ == "__main__":
    cli.run(main, define_flags)
