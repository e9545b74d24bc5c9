"""Training of the classifiers that measure semantic accuracy."""

import pathlib
import sys

import keras
import tensorflow as tf

from tfcoded.data import DATASETS, digest
from tfcoded.networks.classifier import Classifier
from tfcoded.training.backup import Backup
from tfcoded.training.callbacks import EpochProgress, StopUnlessFinite
from tfcoded.utils.errors import UserError

FILTERS = (32, 64)  # of the convolutions: the paper's
COLOUR_FILTERS = (32, 64, 128)
COLOUR_SIDE = 20  # pixels, the least that three convolutions need
SIDE = 8  # pixels, the least that two need


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
    name, (height, width, channels) = dataset.name, dataset.image_shape
    filters = COLOUR_FILTERS if channels == 3 and min(height, width) >= COLOUR_SIDE else FILTERS
    classifier = Classifier(len(set(dataset.train_labels.tolist())), seed=seed, filters=filters)
    steps = epochs * -(-len(dataset.train_images) // batch_size)
    classifier.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # these small convolutions gain nothing from it on a CPU
    )

    def kept():
        return backup if backup and pathlib.Path(backup).exists() else None

    advice = "A smaller --learning_rate may help, in another --out" + (f" or without {backup}" if backup else "")
    callbacks, done = [StopUnlessFinite(kept, advice), EpochProgress(epochs, "accuracy")], 0
    if backup is not None:
        settings = {"dataset": name, "epochs": epochs, "batch_size": batch_size}
        settings |= {"learning_rate": learning_rate, "seed": seed}
        settings |= {"images_sha256": digest(dataset.train_images), "labels_sha256": digest(dataset.train_labels)}
        callbacks.append(_backup(classifier, backup, dataset.train_images, settings))
        done = callbacks[-1].restore()
    if done:
        print(f"going on after epoch {done} of {epochs}", flush=True)

    known = DATASETS.get(name)
    shift, flip = (known.shift, known.mirrored) if known else (1, False)
    batches = training_batches(dataset.train_images, dataset.train_labels, batch_size, seed, flip=flip, shift=shift)
    for _ in range(2 * done):
        iter(batches)  # the next order; Keras makes an iterator at either end of an epoch
    try:
        classifier.fit(batches, initial_epoch=done, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    except KeyboardInterrupt:
        said = f"{kept()} is kept; the same command goes on from there" if kept() else "no epoch was finished"
        print(f"\ninterrupted: {said}", file=sys.stderr)
        raise
    return classifier


def _backup(classifier, path, images, settings):
    """The `Backup` of a compiled classifier, whose variables are made from images like these."""
    classifier(images[:1] / 255)
    classifier.optimizer.build(classifier.trainable_variables)
    changing = [*classifier.weights, *classifier.dropout.variables, *classifier.optimizer.variables]
    return Backup(path, changing, settings)


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
