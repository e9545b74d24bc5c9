"""How a trained model is measured: its reconstructions, and its code as a code.

`codec` is a SavedModel of this package, or the object it was saved from. What is used of it:

    encode(images) -> {"word_probability" [N], "entropy" [N]}
    draw(images, seed) -> {"bits" [N, M], "most_probable_bits" [N, M]}
    decode(bits, seed) -> {"images" [N, H, W, C]}
    reconstruct(images, seed) -> {"images" [N, H, W, C]}
    elbo(images, seed) -> {"elbo" [N], "kl" [N], "reconstruction" [N], "kl_branches" [N, branches]}

Images are float32 in [0, 1], seeds int32 `[2]`.
"""

import numpy as np
import tensorflow as tf

from tfcoded.metrics import bits as bit_metrics, image_quality
from tfcoded.metrics.summary import estimate
from tfcoded.utils import seeds
from tfcoded.utils.progress import progress

CONFIDENT = 0.4  # an image counts as confident when its MAP word has more than this posterior probability
PSNR_BATCH = 128  # the published signal-to-noise ratios are means over batches of this size

# Purposes of random numbers: no two uses share a seed.
_RECONSTRUCTION, _ELBO, _WORDS, _DECODING, _POSTERIOR, CALIBRATION, TRANSMISSION, COMMUNICATION = range(8)


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
    samples = reconstruction_samples(codec, images, labels, classifier, seed=seed, batch_size=batch_size)
    return {name: estimate(values) for name, values in samples.items() if values.size}


def reconstruction_samples(codec, images, labels=None, classifier=None, *, seed=0, batch_size=PSNR_BATCH):
    """What `reconstruction_metrics` are the means of, so that two models can be compared image by image.

    Args:
      codec, images, labels, classifier, seed, batch_size: as in `reconstruction_metrics`.

    Returns:
      `dict` from the metric's name to an array with one number per image; of `psnr` one per batch, of
      `confident_accuracy` one per confident image.

    Raises:
      ValueError: as `reconstruction_metrics`.
    """
    images = np.asarray(images)
    check_images(images, labels)
    samples = {}

    def keep(name, values):
        samples.setdefault(name, []).append(np.atleast_1d(values))

    starts = range(0, len(images), batch_size)
    for index, start in enumerate(progress(starts, "reconstructions", len(starts))):
        batch = as_float(images[start : start + batch_size])
        posterior = codec.encode(batch)
        reconstructed = codec.reconstruct(batch, seed_for(seed, _RECONSTRUCTION, index))["images"]
        bound = codec.elbo(batch, seed_for(seed, _ELBO, index))

        keep("psnr", image_quality.psnr(batch, reconstructed))
        keep("ssim", image_quality.ssim(batch, reconstructed))
        keep("entropy", posterior["entropy"])
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

    return {name: np.concatenate(values) for name, values in samples.items()}


def error_metrics(codec, branches, *, seed=0, runs=50, words=1000, batch_size=500):
    """Bit and word error rates of the model used as a code over its own images.

    A word is drawn uniformly, encoded, smoothed and decoded to an image; the image is encoded and decoded to
    the posterior over words; the received word is drawn from that posterior (`ber`, `wer`) or is its most
    probable word (`ber_map`, `wer_map`). The codec draws it, because only the codec knows the posterior: its
    bits are independent in some models and dependent in others. With several branches `ber_m1`, `wer_m1`,
    `ber_map_m1`, `wer_map_m1`, ... count the bits of one branch only. The standard error is over runs.

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
    rates = error_samples(codec, branches, seed=seed, runs=runs, words=words, batch_size=batch_size)
    return {name: estimate(values) for name, values in rates.items()}


def error_samples(codec, branches, *, seed=0, runs=50, words=1000, batch_size=500):
    """The rates of each run, which `error_metrics` are the means of. Two models are sent the same words.

    Args:
      codec, branches, seed, runs, words, batch_size: as in `error_metrics`.

    Returns:
      `dict` from the metric's name to a list of `float`, one for each run.

    Raises:
      ValueError: as `error_metrics`.
    """
    if runs < 1 or words < 1:
        raise ValueError(f"runs and words must be at least 1, got {runs} runs of {words} words")
    if not branches or min(branches) < 1:
        raise ValueError(f"branches must be a tuple of positive numbers of bits, got {branches!r}")
    limits = np.cumsum((0, *branches))
    parts = {"": slice(None)}
    if len(branches) > 1:
        parts |= {f"_m{i + 1}": slice(limits[i], limits[i + 1]) for i in range(len(branches))}

    rates = {}  # name -> one rate per run
    for run in progress(range(runs), "transmissions", runs):
        sent, received = [], {"": [], "_map": []}
        for index, (word, pictures) in enumerate(transmissions(codec, sum(branches), words, seed, run, batch_size)):
            drawn = codec.draw(pictures, seed_for(seed, _POSTERIOR, run, index))
            sent.append(word)
            received[""].append(drawn["bits"])
            received["_map"].append(drawn["most_probable_bits"])
        sent = tf.concat(sent, axis=0)
        for rule, word in received.items():
            word = tf.concat(word, axis=0)
            for suffix, part in parts.items():
                for name, count in (("ber", bit_metrics.bit_errors), ("wer", bit_metrics.word_errors)):
                    rate = float(tf.reduce_mean(count(sent[:, part], word[:, part])))
                    rates.setdefault(f"{name}{rule}{suffix}", []).append(rate)
    return rates


def transmissions(codec, information_bits, words, seed, run, batch_size=500):
    """Uniformly random words and the images that the model makes of them, in batches.

    Args:
      codec: the model, see the module's docstring.
      information_bits: `int`, M.
      words: `int`, number of words.
      seed: `int`.
      run: `int`; other runs have other words, and other smoothing of the same word.
      batch_size: `int`, number of words decoded at a time.

    Yields:
      Words, `[n, M]` tf.int32, and images, `[n, H, W, C]` tf.float32, with `n` at most `batch_size`.
    """
    sent = seeds.bits([words, information_bits], seed_for(seed, _WORDS, run))
    for index, start in enumerate(range(0, words, batch_size)):
        batch = sent[start : start + batch_size]
        yield batch, codec.decode(batch, seed_for(seed, _DECODING, run, index))["images"]


def check_images(images, labels):
    """Raises `ValueError` if there are no images, or not as many labels; these may be `None`."""
    if len(images) == 0:
        raise ValueError("there are no images to evaluate on")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images but {len(labels)} labels; expected one label per image")


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


def seed_for(seed, *path):
    """An int32 `[2]` seed for one use of randomness, told apart by the numbers in `path`."""
    return seeds.derive(seed, seeds.EVALUATE, *path)


def missing_accuracy(measured, dataset, labels, classifier):
    """Why accuracies are missing, as a list of `str`; empty if none is."""
    if labels is None:
        return ["no accuracy: the images have no labels"]
    if classifier is None:
        return [
            f"no accuracy: the zoo has no classifier for {dataset}; python -m tfcoded.train_classifier makes one for"
            " --classifier"
        ]
    if "accuracy" in measured and "confident_accuracy" not in measured:
        return ["no confident accuracy: no image has a word of posterior probability above 0.4"]
    return []
