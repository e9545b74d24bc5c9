"""How a trained model is measured: its reconstructions, and its code as a code.

`codec` is a SavedModel of this package, or the object it was saved from. What is used of it:

    encode(images) -> {"bit_probabilities" [N, M], "word_probability" [N]}
    decode(bits, seed) -> {"images" [N, H, W, C]}
    reconstruct(images, seed) -> {"images" [N, H, W, C]}
    elbo(images, seed) -> {"elbo" [N], "kl" [N], "reconstruction" [N], "kl_branches" [N, branches]}

Images are float32 in [0, 1], seeds int32 `[2]`.
"""

import numpy as np
import tensorflow as tf

from tfcoded import seeds
from tfcoded.metrics import bits as bit_metrics
from tfcoded.metrics import image_quality
from tfcoded.metrics.summary import estimate
from tfcoded.progress import progress

CONFIDENT = 0.4  # an image counts as confident when its MAP word has more than this posterior probability
PSNR_BATCH = 128  # the published signal-to-noise ratios are means over batches of this size

# Purposes of random numbers: no two uses share a seed.
_RECONSTRUCTION, _ELBO, _WORDS, _DECODING, _POSTERIOR = range(5)


def evaluate(codec, images, labels=None, classifier=None, *, branches, seed=0, runs=50, words=1000):
    """All metrics of a model on one split of a data set.

    Args:
      codec: the model, see the module's docstring.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      labels: `[N]` integer class labels, or `None`.
      classifier: function of float32 images `[n, H, W, C]` returning logits `[n, classes]`, trained on true
        images; or `None`. Without labels or without a classifier there are no accuracies.
      branches: tuple of `int`, the information bits of each branch of the code; `(M,)` if there is only one.
      seed: `int`; the same seed gives the same numbers.
      runs: `int`, number of runs of the error metrics.
      words: `int`, number of words per run.

    Returns:
      `dict` from the metric's name to an `Estimate`, see `reconstruction_metrics` and `error_metrics`.

    Raises:
      ValueError: if there are no images, if labels and images differ in number, or for impossible `branches`,
        `runs` or `words`.

    Example:

    ```python
    codec = tf.saved_model.load("zoo/coded_8_240/1")
    evaluate(codec, data.test_images, branches=(8,))["psnr"].value
    ```
    """
    measured = reconstruction_metrics(codec, images, labels, classifier, seed=seed)
    measured.update(error_metrics(codec, branches, seed=seed, runs=runs, words=words))
    return measured


def reconstruction_metrics(codec, images, labels=None, classifier=None, *, seed=0, batch_size=PSNR_BATCH):
    """How well images survive encoding and decoding, from one posterior sample per image.

    | name | what | standard error over |
    | --- | --- | --- |
    | `psnr` | decibels; 10 log10(1 / MSE) of each batch, averaged over batches | batches |
    | `ssim` | structural similarity | images |
    | `entropy` | of the posterior over words, in bits | images |
    | `elbo`, `kl`, `reconstruction` | nats per image | images |
    | `kl_m1`, `kl_m2`, ... | nats per image and branch, when there are several branches | images |
    | `accuracy` | fraction of reconstructions that the classifier gives their true label | images |
    | `confident_accuracy` | the same where the MAP word has probability > 0.4; absent if none has | images |
    | `confident_fraction` | fraction of images with such a word | images |

    Args:
      codec: the model, see the module's docstring.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      labels: `[N]` integer class labels, or `None`.
      classifier: function from images to logits, or `None`, see `evaluate`.
      seed: `int`.
      batch_size: `int`; `psnr` depends on it, the published numbers use 128.

    Returns:
      `dict` from the metric's name to an `Estimate`.

    Raises:
      ValueError: if there are no images, or if labels and images differ in number.

    #### References
    Martinez-Garcia et al., "Improved Variational Inference in Discrete VAEs using Error Correcting Codes",
    2025, section 5 and appendix C.
    """
    images = np.asarray(images)
    if len(images) == 0:
        raise ValueError("there are no images to evaluate on")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images but {len(labels)} labels; expected one label per image")

    samples = {}

    def keep(name, values):
        samples.setdefault(name, []).append(np.atleast_1d(values))

    starts = range(0, len(images), batch_size)
    for index, start in enumerate(progress(starts, "reconstructions", len(starts))):
        batch = as_float(images[start : start + batch_size])
        posterior = codec.encode(batch)
        reconstructed = codec.reconstruct(batch, _seed(seed, _RECONSTRUCTION, index))["images"]
        bound = codec.elbo(batch, _seed(seed, _ELBO, index))

        keep("psnr", image_quality.psnr(batch, reconstructed))
        keep("ssim", image_quality.ssim(batch, reconstructed))
        keep("entropy", bit_metrics.entropy(posterior["bit_probabilities"]))
        for name in ("elbo", "kl", "reconstruction"):
            keep(name, bound[name])
        if bound["kl_branches"].shape[-1] > 1:
            for branch, kl in enumerate(tf.unstack(bound["kl_branches"], axis=-1), start=1):
                keep(f"kl_m{branch}", kl)
        if labels is not None and classifier is not None:
            predicted = tf.argmax(classifier(reconstructed), axis=-1).numpy()
            correct = predicted == np.asarray(labels[start : start + batch_size])
            confident = posterior["word_probability"].numpy() > CONFIDENT
            keep("accuracy", correct)
            keep("confident_accuracy", correct[confident])
            keep("confident_fraction", confident)

    samples = {name: np.concatenate(values) for name, values in samples.items()}
    return {name: estimate(values) for name, values in samples.items() if values.size}


def error_metrics(codec, branches, *, seed=0, runs=50, words=1000, batch_size=500):
    """Bit and word error rates of the model used as a code over its own images.

    A word is drawn uniformly, encoded, smoothed and decoded to an image; the image is encoded and softly
    decoded to the posterior over bits; the received word is sampled from that posterior (`ber`, `wer`) or is
    its most probable word (`ber_map`, `wer_map`; the threshold 1/2). With several branches `ber_m1`,
    `wer_m1`, `ber_map_m1`, `wer_map_m1`, ... count the bits of one branch only. The standard error is over
    runs.

    Args:
      codec: the model, see the module's docstring.
      branches: tuple of `int`, the information bits of each branch; their sum is M.
      seed: `int`.
      runs: `int`, number of runs, at least 1.
      words: `int`, number of words in each run, at least 1.
      batch_size: `int`, number of words decoded at a time.

    Returns:
      `dict` from the metric's name to an `Estimate`.

    Raises:
      ValueError: for impossible `branches`, `runs` or `words`.

    #### References
    Martinez-Garcia et al., "Improved Variational Inference in Discrete VAEs using Error Correcting Codes",
    2025, tables 3 and 9 (50 runs of 1,000 words).
    """
    if runs < 1 or words < 1:
        raise ValueError(f"runs and words must be at least 1, got {runs} runs of {words} words")
    if not branches or min(branches) < 1:
        raise ValueError(f"branches must be a tuple of positive numbers of bits, got {branches!r}")
    information_bits = sum(branches)
    limits = np.cumsum((0, *branches))
    parts = {"": slice(None)}
    if len(branches) > 1:
        parts |= {f"_m{i + 1}": slice(limits[i], limits[i + 1]) for i in range(len(branches))}

    rates = {}  # name -> one rate per run
    for run in progress(range(runs), "transmissions", runs):
        sent = tf.random.stateless_uniform(
            [words, information_bits], _seed(seed, _WORDS, run), minval=0, maxval=2, dtype=tf.int32
        )
        probabilities = []
        for index, start in enumerate(range(0, words, batch_size)):
            decoding_seed = _seed(seed, _DECODING, run, index)
            pictures = codec.decode(sent[start : start + batch_size], decoding_seed)["images"]
            probabilities.append(codec.encode(pictures)["bit_probabilities"])
        probabilities = tf.concat(probabilities, axis=0)
        uniform = tf.random.stateless_uniform(probabilities.shape, _seed(seed, _POSTERIOR, run))
        received = {"": uniform < probabilities, "_map": probabilities > 0.5}
        for rule, word in received.items():
            word = tf.cast(word, tf.int32)
            for suffix, part in parts.items():
                for name, count in (("ber", bit_metrics.bit_errors), ("wer", bit_metrics.word_errors)):
                    rate = float(tf.reduce_mean(count(sent[:, part], word[:, part])))
                    rates.setdefault(f"{name}{rule}{suffix}", []).append(rate)
    return {name: estimate(values) for name, values in rates.items()}


def as_float(images):
    """Images as the codec takes them.

    Args:
      images: `[N, H, W, C]`, uint8, or floating point in [0, 1].

    Returns:
      `[N, H, W, C]` tf.float32 in [0, 1].
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(255)
    return tf.convert_to_tensor(images, tf.float32)


def _seed(seed, *path):
    """An int32 `[2]` seed for one use of randomness, told apart by the numbers in `path`."""
    return seeds.derive(seed, seeds.EVALUATE, *path)
