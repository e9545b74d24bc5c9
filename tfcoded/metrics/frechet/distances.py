"""Frechet distances between generated images and those of a data set.

`fid`, the Frechet Inception distance of colour images, uses the features of `tfcoded.metrics.frechet.inception`. Two
things about the published tables of Coded-DVAEs must be known when reading them beside it. They were made
with pytorch-fid, which has the same weights and the same covariances but resizes with half-pixel centers and
scales with 2 x / 255 - 1; here both are as in the graph that defined the FID. And the distance of finite
samples is biased upwards, by an amount that depends on their number: `fid` means 10,000 generated images
against 10,000 of the data set. With other numbers the name carries them, as `fid_5000_10000`.

`classifier_frechet_distance`, for images that the zoo has a classifier of, uses the classifier's logits.
There is no nonlinearity between its flattened feature maps and its logits, so these ten numbers are all that
it sees of an image. They have a scale of their own: the distances of two models compare if both were measured
with one classifier, and never with a FID.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tfcoded.metrics.frechet import feature_statistics, inception_weights
from tfcoded.metrics.frechet.inception import FEATURES, fid_inception
from tfcoded.metrics.summary import Estimate
from tfcoded.metrics.tfgan import classifier_metrics
from tfcoded.utils import seeds
from tfcoded.utils.errors import UserError
from tfcoded.utils.progress import progress

IMAGES = 10_000  # of either kind, in the published distances

_INCEPTION = "inception_2015"
_GENERATED = 0xF1D  # purpose of random numbers


def measure(
    codec,
    config,
    images,
    *,
    generated=IMAGES,
    seed=0,
    weights=None,
    classifier=None,
    batch_size=50,
    folder=None,
):
    """Frechet distances between images that a model generates and the images of a data set.

    | name | images | needs |
    | --- | --- | --- |
    | `fid` | colour | `weights` |
    | `classifier_frechet_distance` | any | `classifier` |

    A name continues with `_<generated>_<images>` unless both numbers are 10,000. Generated images are rounded
    to uint8, as saving them would do.

    Args:
      codec: the model; of it `generate(n, seed) -> {"images" [n, H, W, C] in [0, 1]}` is used.
      config: its `tfcoded.config.Config`.
      images: `[N, H, W, C]` uint8, the test images.
      generated: `int`, number of generated images.
      seed: `int`, of the generated images.
      weights: `str` or `os.PathLike`, the file that `python -m tfcoded.convert_inception` writes; or `None`.
      classifier: function from uint8 images to logits, as `tfcoded.zoo.sources.load_classifier` gives; or `None`.
      batch_size: `int`, images per step.
      folder: `str` or `os.PathLike` where the Inception statistics of the test images are kept, and those of
        the generated images until the measurement is complete, so that an interrupted one continues; `None`
        keeps nothing.

    Returns:
      `dict` from name to `Estimate` without standard error; empty where neither distance can be measured.

    Raises:
      UserError: if either number of images does not exceed that of the features (2,048 for `fid`), if the
        images are not uint8 or not of the model's shape, or if a file is unusable.

    Example:

    ```python
    measure(codec, config, data.test_images, weights="inception_2015.npz")["fid"].value
    ```
    """
    if tuple(images.shape[1:]) != tuple(config.network.image_shape):
        raise UserError(
            f"the images are {list(images.shape[1:])}, but {config.name} makes {list(config.network.image_shape)}"
        )
    extractors = {}
    if weights is not None and images.shape[-1] == 3:
        _require_enough(FEATURES, generated, len(images))
        extractors["fid"] = (inception_features(weights), FEATURES)
    if classifier is not None:
        dimensions = classifier(images[:1]).shape[-1]
        _require_enough(dimensions, generated, len(images))
        extractors["classifier_frechet_distance"] = (classifier, dimensions)
    if not extractors:
        return {}

    made = generate(codec, generated, seed, batch_size)
    suffix = "" if generated == len(images) == IMAGES else f"_{generated}_{len(images)}"
    measured = {}
    for name, (extract, dimensions) in extractors.items():
        inception = name == "fid"
        kept = folder if inception else None  # a classifier is done with all images before a file would be written
        both = [
            feature_statistics.of_images(
                which, extract, dimensions, name=_INCEPTION, batch_size=batch_size, folder=kept, label=label
            )
            for which, label in ((images, f"{name}: test images"), (made, f"{name}: generated images"))
        ]
        measured[name + suffix] = Estimate(distance(*both), None)
        if kept is not None:
            feature_statistics.statistics_path(made, _INCEPTION, kept).unlink(missing_ok=True)
    return measured


def between(images, others, weights, *, batch_size=50, folder=None):
    """Frechet Inception distance between two sets of colour images.

    Args:
      images: `[N, H, W, 3]` uint8.
      others: `[N', H', W', 3]` uint8.
      weights, batch_size: as in `measure`.
      folder: where the statistics of both are kept, or `None`.

    Returns:
      `float`.

    Raises:
      UserError: as `measure`, or if the images are not in colour.
    """
    for which in (images, others):
        if which.shape[-1] != 3:
            raise UserError(f"the FID is that of colour images, got shape {list(which.shape)}")
    _require_enough(FEATURES, len(images), len(others))
    extract = inception_features(weights)
    first, second = (
        feature_statistics.of_images(
            which, extract, FEATURES, name=_INCEPTION, batch_size=batch_size, folder=folder, label=label
        )
        for which, label in (
            (images, "features of the first images"),
            (others, "features of the second images"),
        )
    )
    return distance(first, second)


def distance(first, second):
    """Squared Frechet (2-Wasserstein) distance of the Gaussians with two sets' means and covariances.

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`, in float64; the root by TensorFlow-GAN's
    `trace_sqrt_product`, as in its `frechet_classifier_distance_from_activations`. It takes eigenvalues
    below 1e-10 for their own roots, which makes the distance of 2,048 features larger by less than 0.05.

    Args:
      first: `FeatureStatistics`.
      second: `FeatureStatistics` of as many dimensions.

    Returns:
      `float`, not negative up to rounding.

    Raises:
      UserError: if either has no more vectors than dimensions: its covariance is singular, and the distance
        says more about the number of vectors than about what they are of.

    Example:

    ```python
    distance(statistics, statistics)  # 0, up to rounding
    ```

    #### References
    Dowson, Landau, "The Frechet distance between multivariate normal distributions", 1982.
    """
    _require_enough(first.dimensions, first.count, second.count)
    covariances = first.covariance, second.covariance
    root = float(classifier_metrics().trace_sqrt_product(*map(tf.constant, covariances)))
    difference = first.mean - second.mean
    return float(difference @ difference + sum(map(np.trace, covariances)) - 2.0 * root)


def inception_features(weights):
    """The FID network as a function from uint8 images `[n, H, W, 3]` to features `[n, 2048]`.

    Args:
      weights: `str` or `os.PathLike`, the file that `python -m tfcoded.convert_inception` writes.

    Raises:
      UserError: if the file is missing or damaged.
    """
    path = pathlib.Path(weights)
    if not path.is_file():
        raise UserError(f"{path} is not a file; {inception_weights.how_to_get()}")
    network = fid_inception(inception_weights.load(path))
    return tf.function(network, input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])


def generate(codec, count, seed, batch_size=50):
    """Images that a model generates, as they would be saved.

    Args:
      codec: the model, see `measure`.
      count: `int`.
      seed: `int`.
      batch_size: `int`, images made at a time; the images depend on it.

    Returns:
      `[count, H, W, C]` uint8: `round(255 x)`.
    """
    starts = range(0, count, batch_size)
    batches = []
    for index, start in enumerate(progress(starts, "generated images", len(starts))):
        number = tf.constant(min(batch_size, count - start))
        batches.append(codec.generate(number, seeds.derive(seed, seeds.EVALUATE, _GENERATED, index))["images"])
    return np.concatenate([np.round(np.clip(batch, 0.0, 1.0) * 255.0).astype(np.uint8) for batch in batches])


def _require_enough(dimensions, *counts):
    if min(counts) <= dimensions:
        raise UserError(
            f"a Frechet distance of {dimensions:,} features needs more than {dimensions:,} images of either "
            f"kind, got {' and '.join(f'{count:,}' for count in counts)}"
        )
