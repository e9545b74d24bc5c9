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
import sys

from absl import flags

from tfcoded import cli
from tfcoded.data import DATASETS
from tfcoded.runs import provenance
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, lock, temporary_folder, writable_folder, write_atomically
from tfcoded.zoo import checksums

FLAGS = flags.FLAGS

UNFINISHED = ".training.npz"
_NEW = ".new."
FILTERS = (32, 64)  # of the convolutions: the paper's
COLOUR_FILTERS = (32, 64, 128)
COLOUR_SIDE = 20  # pixels, the least that three convolutions need
SIDE = 8  # pixels, the least that two need

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
    content = provenance.record(name, {"accuracy": accuracy}, {}, seed=FLAGS.seed, epochs=FLAGS.epochs)
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
    write_atomically(folder / "metrics.json", provenance.to_json(content))


def require_labels(dataset):
    """Refuses a data set that no classifier can be trained on.

    Args:
      dataset: `tfcoded.data.Dataset`.

    Raises:
      UserError: if it has no labels, the training images' are not all of 0 to K - 1 with K at least 2, the test images'
        are others, or the images are too small for the network.
    """
    name, train, test = dataset.name, dataset.train_labels, dataset.test_labels
    if train is None or test is None:
        raise UserError(
            f"{name} has no labels of its {'training' if train is None else 'test'} images; expected an .npz file with"
            " them, such as x_train, y_train, x_test and y_test"
        )
    found = sorted(set(train.tolist()))
    if len(found) < 2 or found != list(range(len(found))):
        some = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise UserError(
            f"the training labels of {name} are {some}; expected 0, 1, ... up to the number of classes minus one"
        )
    others = sorted(set(test.tolist()) - set(found))
    if others:
        raise UserError(f"{name} has test images of the class {others[0]}, of which there is no training image")
    if min(dataset.image_shape[:2]) < SIDE:
        raise UserError(f"the images of {name} are smaller than the {SIDE} pixels that the network needs")


def train(dataset, *, epochs, batch_size, learning_rate, seed, backup=None):
    """Trains a `Classifier` with Adam, its learning rate decaying to zero along a cosine.

    Args:
      dataset: `tfcoded.data.Dataset` with labels.
      epochs: `int`.
      batch_size: `int`.
      learning_rate: `float`, at the first step.
      seed: `int`.
      backup: `str` or path of a file from which an interrupted training goes on, with the same result; or `None`.

    Returns:
      `tfcoded.networks.Classifier`.

    Raises:
      UserError: if the file is damaged, or of a training with other settings or data; if the loss or a weight becomes
        infinite or NaN.
    """
    import keras

    from tfcoded.data import digest
    from tfcoded.networks.classifier import Classifier
    from tfcoded.training.backup import Backup
    from tfcoded.training.callbacks import EpochProgress, StopUnlessFinite

    height, width, channels = dataset.image_shape
    filters = COLOUR_FILTERS if channels == 3 and min(height, width) >= COLOUR_SIDE else FILTERS
    classifier = Classifier(len(set(dataset.train_labels.tolist())), seed=seed, filters=filters)
    steps = epochs * -(-len(dataset.train_images) // batch_size)
    classifier.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # these small convolutions gain nothing from it on a CPU
    )
    name = dataset.name
    known = DATASETS.get(name)
    shift, flip = (known.shift, known.mirrored) if known else (1, False)
    batches = training_batches(dataset.train_images, dataset.train_labels, batch_size, seed, flip=flip, shift=shift)

    def kept():
        return backup if backup and pathlib.Path(backup).exists() else None

    advice = "A smaller --learning_rate may help, in another --out" + (f" or without {backup}" if backup else "")
    finite = StopUnlessFinite(kept, advice)
    callbacks, done = [finite, EpochProgress(epochs, "accuracy")], 0
    if backup is not None:
        classifier(dataset.train_images[:1] / 255)  # makes the variables
        classifier.optimizer.build(classifier.trainable_variables)
        changing = [*classifier.weights, *classifier.dropout.variables, *classifier.optimizer.variables]
        settings = {"dataset": name, "epochs": epochs, "batch_size": batch_size}
        settings |= {"learning_rate": learning_rate, "seed": seed}
        settings |= {"images_sha256": digest(dataset.train_images), "labels_sha256": digest(dataset.train_labels)}
        callbacks.append(Backup(backup, changing, settings))
        done = callbacks[-1].restore()
    if done:
        print(f"going on after epoch {done} of {epochs}", flush=True)
    for _ in range(2 * done):
        iter(batches)  # the next order; Keras makes an iterator at either end of an epoch
    try:
        classifier.fit(batches, initial_epoch=done, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    except KeyboardInterrupt:
        said = f"{kept()} is kept; the same command goes on from there" if kept() else "no epoch was finished"
        print(f"\ninterrupted: {said}", file=sys.stderr)
        raise
    return classifier


def training_batches(images, labels, batch_size, seed, flip, shift):
    """One epoch's batches, in a new order and with new random shifts at every iteration.

    Args:
      images: uint8 `[N, H, W, C]`.
      labels: int64 `[N]`.
      batch_size: `int`.
      seed: `int`; the same seed gives the same sequence of epochs.
      flip: `bool`, mirror half of the images.
      shift: `int`, largest shift in pixels up, down, left and right; zeros come in at the edges.

    Returns:
      `tf.data.Dataset` of (float32 `[n, H, W, C]` in [0, 1], int64 `[n]`).
    """
    import tensorflow as tf

    height, width = images.shape[1:3]
    images, labels = tf.constant(images), tf.constant(labels)

    def augmented(indices, seeds):
        seeds = tf.cast(seeds, tf.int32)
        count = tf.shape(indices)[0]
        batch = tf.pad(tf.gather(images, indices), [[0, 0], [shift, shift], [shift, shift], [0, 0]])
        offsets = tf.random.stateless_uniform([2, count, 1], seeds, 0, 2 * shift + 1, tf.int32, alg="philox")
        batch = tf.gather(batch, offsets[0] + tf.range(height), axis=1, batch_dims=1)
        columns = tf.range(width)[tf.newaxis]
        if flip:
            mirrored = tf.random.stateless_uniform([count, 1], seeds + 1, alg="philox") < 0.5
            columns = tf.where(mirrored, columns[:, ::-1], columns)
        batch = tf.gather(batch, offsets[1] + columns, axis=2, batch_dims=1)
        return tf.cast(batch, tf.float32) / 255.0, tf.gather(labels, indices)

    order = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(order.batch(batch_size), seeds)
    return batches.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


if __name__ == "__main__":
    cli.run(main, define_flags)
