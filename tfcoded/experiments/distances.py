"""Fréchet distances of received images, over the number of bands that arrive."""

import numpy as np
import tensorflow as tf

from tfcoded.experiments.quantity import BLOCKS, Quantity
from tfcoded.metrics import frechet, protocol
from tfcoded.metrics.frechet.feature_statistics import FeatureStatistics
from tfcoded.utils.errors import UserError
from tfcoded.utils.progress import progress
from tfcoded.zoo import sources

_BATCH = 128
_LARGEST = 64  # features up to which the distance is computed without each block of images, too
_PURPOSE = 0xFD6  # of random numbers


def extractor(settings):
    """The network whose features are compared.

    Args:
      settings: `tfcoded.experiments.plan.Settings`.

    Returns:
      Function from uint8 images `[n, h, w, c]` to features `[n, dimensions]`, and `dimensions`.

    Raises:
      UserError: if there is neither an Inception network nor a classifier of these images.
    """
    if settings.inception:
        return frechet.inception_features(settings.inception), frechet.FEATURES
    classify = sources.load_classifier(settings.dataset, settings.zoo_dir)
    if classify is None:
        raise UserError(
            f"the zoo has no classifier of {settings.dataset} whose features could be compared; give --inception, or "
            "train one with python -m tfcoded.train_classifier"
        )
    return classify, int(classify(np.zeros([1, *settings.image_shape], np.uint8)).shape[-1])


def measure(codec, bands, images, network, *, name, seed):
    """Distances of the first half of the images, as received, from the originals of the second half.

    Args:
      codec: a system, as in `tfcoded.metrics.communication`.
      bands: `int`, T.
      images: `[N, h, w, c]` uint8, the held-out images.
      network: what `extractor` returns.
      name: `str`, begins the names.
      seed: `int`.

    Returns:
      `dict` from `<name>_bands_<B>` for B = 0 .. T, and `<name>_originals` of the first half itself, to a `Quantity`.

    Raises:
      UserError: if a half has no more images than there are features.
    """
    extract, dimensions = network
    half = len(images) // 2
    if half <= dimensions:
        raise UserError(
            f"a Fréchet distance of {dimensions:,} features needs more than {2 * dimensions:,} test images, got {len(images):,}"
        )
    sent, others = images[:half], images[half : 2 * half]
    reference = _features(extract, others)
    found = {f"{name}_originals": _features(extract, sent)}
    received = {width: [] for width in range(bands + 1)}
    starts = range(0, half, _BATCH)
    for index, start in enumerate(progress(starts, f"{name}: images sent", len(starts))):
        batch = protocol.as_float(sent[start : start + _BATCH])
        symbols = codec.transmit(batch, _seed(seed, index, 0))["symbols"]
        symbols = codec.corrupt(symbols, _seed(seed, index, 1))["symbols"]
        for width, features in received.items():
            shown = codec.receive(symbols, tf.constant(width), _seed(seed, index, 2, width))["images"]
            features.append(np.asarray(extract(_saved(shown))))
    found |= {f"{name}_bands_{width}": np.concatenate(features) for width, features in received.items()}
    return {key: distance(features, reference) for key, features in found.items()}


def distance(features, reference):
    """Fréchet distance of two sets of features `[N, dimensions]`, as a `Quantity`."""
    value = _distance(features, reference)
    if features.shape[1] > _LARGEST or len(features) < 2 * BLOCKS:
        return Quantity(value)
    parts = [np.array_split(np.arange(len(each)), BLOCKS) for each in (features, reference)]
    replicates = [_distance(np.delete(features, a, axis=0), np.delete(reference, b, axis=0)) for a, b in zip(*parts)]
    return Quantity(value, replicates)


def _distance(features, reference):
    both = []
    for each in (features, reference):
        statistics = FeatureStatistics(each.shape[1])
        statistics.update(each)
        both.append(statistics)
    return frechet.distance(*both)


def _features(extract, images):
    return np.concatenate([np.asarray(extract(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)])


def _saved(images):
    """Images as they would be saved: uint8."""
    return np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def _seed(seed, *path):
    return protocol.seed_for(seed, _PURPOSE, *path)
