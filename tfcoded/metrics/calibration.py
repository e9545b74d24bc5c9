"""How far the probabilities of the posterior can be believed.

A posterior is calibrated if, of all words to which it gives probability 0.8, four in five are right. Three
questions are asked of a model; `codec` is as in `tfcoded.metrics.protocol`:

| name | confidence | correct | one sample is |
| --- | --- | --- | --- |
| `words` | posterior probability of the most probable word | it is the word that was sent | a word |
| `bits` | posterior probability of the likelier value of a bit | it is the value that was sent | a bit |
| `reconstruction` | as for `words` | the image of that word shows the true class | an image |

For the first two a random word is sent as an image of the model and received by its encoder, as for the error
rates: the truth is known, and a calibrated model lies on the diagonal. The third asks about images of a data
set, where no word is the true one. It tells whether the model is less sure where its reconstruction shows
something else, but the diagonal is not its optimum: several words may show one class, so that even the exact
posterior may be right far more often than its most probable word is probable. A model above the diagonal
there is no evidence of bad calibration; one that is sure and wrong, below it, is.

#### References
Guo et al., "On Calibration of Modern Neural Networks", 2017. Martinez-Garcia et al., "Improved Variational
Inference in Discrete VAEs using Error Correcting Codes", 2025, section 5 ("Posterior Uncertainty
Calibration").
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfcoded.metrics import protocol
from tfcoded.metrics.summary import Estimate, estimate
from tfcoded.utils.progress import progress

BINS = 15
RESAMPLES = 200


class Reliability(NamedTuple):
    """Accuracy against confidence, in bins of confidence. Arrays of B bins; a bin without samples has NaN.

    Attributes:
      edges: `[B + 1]`, limits of the bins, increasing from 0 to 1; a bin holds its upper limit.
      count: `[B]`, integer, number of samples.
      confidence: `[B]`, mean confidence.
      accuracy: `[B]`, fraction of correct samples.
      low, high: `[B]`, Wilson's interval of one standard deviation around the accuracy, for independent
        samples.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bin_edges(confidence, bins=BINS, equal_mass=False):
    """Limits of bins of confidence.

    Args:
      confidence: array of any shape, in [0, 1].
      bins: `int`, number of bins.
      equal_mass: `bool`. `False`: bins of equal width. `True`: bins of equally many samples, as far as ties
        allow; there are fewer bins where many samples have the same confidence.

    Returns:
      `[B + 1]` float64, increasing from 0 to 1.

    Raises:
      ValueError: if there are no bins or no samples, or a confidence is no probability.

    Example:

    ```python
    bin_edges([0.1, 0.2, 0.3, 0.9], bins=2, equal_mass=True)  # [0.0, 0.2, 1.0]
    ```
    """
    confidence = np.asarray(confidence, np.float64).ravel()
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    if confidence.size == 0:
        raise ValueError("calibration needs at least one sample, got none")
    if not np.all((confidence >= 0) & (confidence <= 1)):
        raise ValueError("expected confidences in [0, 1]; something else is among them")
    if not equal_mass:
        return np.linspace(0.0, 1.0, bins + 1)
    # The largest confidence of each bin is its limit, so these are sample quantiles without interpolation.
    inner = np.quantile(confidence, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.unique(np.concatenate([[0.0], inner[inner < confidence.max()], [1.0]]))


def reliability(confidence, correct, edges):
    """What a reliability diagram shows.

    Args:
      confidence: array of any shape, in [0, 1].
      correct: array of that shape, `bool` or 0 and 1.
      edges: `[B + 1]`, see `bin_edges`.

    Returns:
      A `Reliability`.

    Raises:
      ValueError: if the shapes differ.

    Example:

    ```python
    found = reliability([0.6, 0.7, 0.2], [1, 0, 0], bin_edges([0.6, 0.7, 0.2], bins=2))
    found.count, found.accuracy  # [1, 2], [0.0, 0.5]
    ```
    """
    confidence, correct = _pairs(confidence, correct)
    confidence, correct = confidence.ravel(), correct.ravel()
    index, bins = _bin(confidence, edges), len(edges) - 1
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 is NaN, as documented
        mean = np.bincount(index, confidence, bins) / count
        accuracy = np.bincount(index, correct, bins) / count
        # Wilson: unlike the binomial standard error it is not zero where all samples of a bin are right.
        centre = (accuracy + 0.5 / count) / (1 + 1 / count)
        half = np.sqrt(accuracy * (1 - accuracy) / count + 0.25 / count**2) / (1 + 1 / count)
    return Reliability(np.asarray(edges), count, mean, accuracy, centre - half, centre + half)


def expected_calibration_error(confidence, correct, edges, seed=0, resamples=RESAMPLES):
    """Mean distance of accuracy from confidence, and what it would be of a calibrated model.

    The distance is the mean over bins, weighted by their samples, and sees nothing that cancels within a bin.
    It is biased upward: with finitely many samples accuracy differs from confidence in every bin, also for a
    calibrated model, and absolute values do not cancel. So it is not to be compared with 0 but with the
    second number returned: its expectation for a perfectly calibrated model with the same confidences and as
    many samples, found by drawing `correct` from the confidences.

    Args:
      confidence: `[N]` or `[N, M]`, in [0, 1].
      correct: of that shape, `bool` or 0 and 1.
      edges: `[B + 1]`, see `bin_edges`.
      seed: `int`, of the resampling.
      resamples: `int`, number of resampled data sets, for each of the two.

    Returns:
      Two `Estimate`s. The first is of the data; its standard error is the bootstrap's, which draws whole
      rows, so the M bits of one word may depend on each other. The second is of a calibrated model; its
      `standard_error` is the standard deviation of one such data set's value, which is what the first is to
      be compared with. Its M bits are drawn independently, as in the posterior of every code that is softly
      decoded.

    Raises:
      ValueError: if the shapes differ.

    Example:

    ```python
    measured, calibrated = expected_calibration_error(confidence, correct, bin_edges(confidence))
    (measured.value - calibrated.value) / calibrated.standard_error  # beyond 3: not calibrated
    ```
    """
    confidence, correct = _pairs(confidence, correct)
    rows, bins = len(confidence), len(edges) - 1
    per_row = confidence.size // rows
    index = _bin(confidence, edges).reshape(rows, -1)
    confidence, correct = confidence.reshape(rows, -1), correct.reshape(rows, -1)
    # A row's share of sum(confidence - correct) in every bin: all that any resampled data set needs.
    surplus = np.bincount(
        (np.arange(rows)[:, np.newaxis] * bins + index).ravel(), (confidence - correct).ravel(), rows * bins
    ).reshape(rows, bins)
    generator = np.random.default_rng(seed)

    def error(sums):
        return float(np.abs(sums).sum() / (rows * per_row))

    bootstrap = [
        error(np.bincount(generator.integers(0, rows, rows), minlength=rows) @ surplus) for _ in range(resamples)
    ]
    calibrated = []
    for _ in range(resamples):
        right = generator.random(confidence.shape) < confidence
        calibrated.append(error(np.bincount(index.ravel(), (confidence - right).ravel(), bins)))
    return (
        Estimate(error(surplus.sum(axis=0)), float(np.std(bootstrap, ddof=1)) if rows > 1 else None),
        Estimate(float(np.mean(calibrated)), float(np.std(calibrated, ddof=1))),
    )


def scores(name, confidence, correct, seed=0):
    """All numbers on one question of calibration.

    | name | what |
    | --- | --- |
    | `ece_<name>` | expected calibration error, 15 bins of equal width |
    | `ece_<name>_calibrated` | what a calibrated model of the same confidences would show; s.e.: its spread |
    | `ece_<name>_equal_mass` | as the first, in 15 bins of equally many samples |
    | `ece_<name>_equal_mass_calibrated` | as the second, in these bins |
    | `overconfidence_<name>` | mean confidence minus accuracy: positive if the model is surer than right |
    | `brier_<name>` | mean squared difference of confidence and 0 or 1 |

    Args:
      name: `str`.
      confidence: `[N]` or `[N, M]`, in [0, 1]; the N rows are independent.
      correct: of that shape, `bool` or 0 and 1.
      seed: `int`, of the resampling.

    Returns:
      `dict` from name to `Estimate`, and the `Reliability` in bins of equal width.

    Raises:
      ValueError: if the shapes differ, or there are no samples.
    """
    confidence, correct = _pairs(confidence, correct)
    found = {}
    for suffix, equal_mass in (("", False), ("_equal_mass", True)):
        edges = bin_edges(confidence, equal_mass=equal_mass)
        measured, calibrated = expected_calibration_error(confidence, correct, edges, seed)
        found |= {f"ece_{name}{suffix}": measured, f"ece_{name}{suffix}_calibrated": calibrated}
    # Means over independent rows: the bootstrap would only repeat, with noise, what `estimate` computes.
    surplus = (confidence - correct).reshape(len(confidence), -1)
    found[f"overconfidence_{name}"] = estimate(surplus.mean(axis=1))
    found[f"brier_{name}"] = estimate((surplus**2).mean(axis=1))
    return found, reliability(confidence, correct, bin_edges(confidence))


def calibration_words(codec, information_bits, *, seed=0, runs=10, words=1000):
    """Sends random words as images and compares what the posterior believes with what was sent.

    The images are the decoder's means, as for the error rates, and the very words and images of these.

    Args:
      codec: the model.
      information_bits: `int`, M.
      seed: `int`.
      runs: `int`, number of runs, at least 1.
      words: `int`, number of words in each run, at least 1.

    Returns:
      `dict` from `words` and `bits` to a pair of arrays, confidence and correct: `[runs * words]` for words,
      `[runs * words, M]` for bits.

    Raises:
      ValueError: for impossible `runs` or `words`.
    """
    if runs < 1 or words < 1:
        raise ValueError(f"runs and words must be at least 1, got {runs} runs of {words} words")
    pairs = []
    for run in progress(range(runs), "calibration", runs):
        for sent, pictures in protocol.transmissions(codec, information_bits, words, seed, run):
            posterior = codec.encode(pictures)
            ones = posterior["bit_probabilities"]
            pairs.append(
                (
                    posterior["word_probability"],
                    tf.reduce_all(posterior["bits"] == sent, axis=1),
                    tf.maximum(ones, 1 - ones),
                    tf.cast(ones > 0.5, sent.dtype) == sent,
                )
            )
    confidence, correct, bit_confidence, bit_correct = (np.concatenate(parts) for parts in zip(*pairs))
    confidence = np.minimum(confidence, 1.0)  # a softmax in float32 may exceed 1 by rounding
    return {"words": (confidence, correct), "bits": (bit_confidence, bit_correct)}


def calibration_reconstruction(codec, images, labels, classifier, *, seed=0, batch_size=protocol.PSNR_BATCH):
    """Reconstructs images from their most probable words and lets a classifier say what the results show.

    Args:
      codec: the model.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      labels: `[N]`, integer class labels.
      classifier: function of float32 images `[n, H, W, C]` returning logits `[n, classes]`, trained on true
        images. Its own mistakes count as the model's.
      seed: `int`, of the smoothing.
      batch_size: `int`.

    Returns:
      Confidence, `[N]`, and correct, `[N]`.

    Raises:
      ValueError: if there are no images, or if labels and images differ in number.
    """
    images = np.asarray(images)
    protocol.check_images(images, labels)
    pairs = []
    starts = range(0, len(images), batch_size)
    for index, start in enumerate(progress(starts, "calibration", len(starts))):
        posterior = codec.encode(protocol.as_float(images[start : start + batch_size]))
        shown = codec.decode(posterior["bits"], protocol.seed_for(seed, protocol.CALIBRATION, index))["images"]
        predicted = tf.argmax(classifier(shown), axis=-1).numpy()
        pairs.append((posterior["word_probability"], predicted == np.asarray(labels[start : start + batch_size])))
    confidence, correct = (np.concatenate(parts) for parts in zip(*pairs))
    return np.minimum(confidence, 1.0), correct  # as for words


def measure(
    codec, images=None, labels=None, classifier=None, *, branches, independent=True, seed=0, runs=10, words=1000
):
    """All calibration of a model.

    Args:
      codec: the model.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      labels: `[N]`, integer class labels, or `None`.
      classifier: as in `calibration_reconstruction`, or `None`. Without images, labels or a classifier there
        is no `reconstruction`.
      branches: tuple of `int`, the information bits of each branch of the code.
      independent: `bool`, whether the posterior's bits are. If not, there is no `ece_bits_calibrated`: drawing bits one
        by one would underestimate the spread of what a calibrated model shows.
      seed: `int`; the same seed gives the same numbers.
      runs: `int`, number of runs of words.
      words: `int`, number of words in each.

    Returns:
      `dict` from metric to `Estimate`, see `scores`, and `dict` from `words`, `bits` and `reconstruction` to
      a `Reliability`, which `tfcoded.pictures.reliability_diagram` draws.

    Example:

    ```python
    measured, bins = measure(codec, branches=(8,))
    measured["ece_words"], measured["ece_words_calibrated"]
    ```
    """
    samples = calibration_words(codec, sum(branches), seed=seed, runs=runs, words=words)
    if images is not None and labels is not None and classifier is not None:
        samples["reconstruction"] = calibration_reconstruction(codec, images, labels, classifier, seed=seed)
    measured, bins = {}, {}
    for name, (confidence, correct) in samples.items():
        found, bins[name] = scores(name, confidence, correct, seed)
        measured |= found
    if not independent:
        for suffix in ("", "_equal_mass"):
            del measured[f"ece_bits{suffix}_calibrated"]
    return measured, bins


def _pairs(confidence, correct):
    """Both as float64 arrays of one shape."""
    confidence, correct = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if confidence.shape != correct.shape:
        raise ValueError(f"confidence has shape {confidence.shape}, but correct {correct.shape}; expected one shape")
    return confidence, correct


def _bin(confidence, edges):
    """Indices of the bins, 0 to B - 1. The upper limit belongs to a bin, and 0 to the first."""
    return np.clip(np.searchsorted(edges, confidence.ravel(), side="left") - 1, 0, len(edges) - 2)
