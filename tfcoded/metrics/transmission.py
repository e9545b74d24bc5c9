"""A model's words sent as code bits over a noisy channel, and the images that arrive.

The sender encodes an image to its most probable word (not to a drawn one: nothing but the channel is to add
noise) and the word to its codeword, and sends the D code bits over a channel. The receiver knows the code,
the channel and what came out of it, and no image: the channel's log-likelihood ratios are all that the soft
decoder is given. The most probable word is decoded to an image.

*Ties.* Two words can be equally likely, for instance if half of an even number of copies is flipped, or if
all are erased. A fair coin decides: every log-likelihood ratio is given noise that is symmetric, and too
small in sum to outweigh a single received bit. So all words of a linear code have the same error rates.
"""

import numpy as np
import tensorflow as tf

from tfcoded.metrics import bits as bit_metrics, image_quality, protocol
from tfcoded.metrics.summary import estimate
from tfcoded.models.posteriors import BitPosterior, posterior_of
from tfcoded.utils import seeds
from tfcoded.utils.progress import progress
from tfcoded.utils.random import uniform

# Purposes of random numbers below `protocol.TRANSMISSION`, and below the seed of `transmit`.
_WORDS, _OF_WORDS, _OF_IMAGES, _DECODING = range(4)
_NOISE, _COIN = range(2)

_SMALL = 1e-3  # all coins of a codeword together, in units of one received bit


def transmit(code, channel, bits, seed, posterior=BitPosterior):
    """Sends words over a channel and decodes what arrives.

    Args:
      code: `tfcoded.codes.Code`.
      channel: `tfcoded.channels.BitChannel` of true bits, such as `BinarySymmetricChannel` (`mode="hard"`).
      bits: `[N, M]`, tf.int32, words.
      seed: `int32 [2]`, of the channel's noise and of the coins. Channels of one kind with the same seed are
        coupled: what the better one flips or erases, so does the worse one.
      posterior: `tfcoded.models.BitPosterior`, which decodes softly and whose most probable bits make the
        most probable word of uncoded, repetition and hierarchical codes; or `WordPosterior`, which
        enumerates the codewords, for random codes.

    Returns:
      The most probable words, `[N, M]`, tf.int32; a fair coin decides between equally likely ones.

    Example:

    ```python
    channel = BinarySymmetricChannel(p_keep=0.9)
    transmit(Repetition(8, 240), channel, tf.ones([5, 8], tf.int32), seed=[0, 1])  # most likely ones
    ```
    """
    # In float64 the coins, a few parts in a million, are far above the rounding of the sums.
    codeword = tf.cast(code.encode(bits), tf.float64)
    received = channel.corrupt(codeword, seeds.derive(seed, _NOISE))
    ratios = channel.log_likelihood_ratio(received)
    # Flipped and erased bits know two sizes of a ratio only: that of a bit, and none.
    one_bit = tf.reduce_max(tf.abs(ratios))
    one_bit = tf.where(one_bit > 0, one_bit, tf.ones_like(one_bit))
    coins = 2 * uniform(1, ratios, seeds.derive(seed, _COIN))[0] - 1
    return posterior(code, ratios + coins * one_bit * _SMALL / code.code_bits).most_probable()


def error_rates(code, channels, *, posterior=BitPosterior, seed=0, runs=50, words=1000):
    """Word and bit error rates of a code without any model: uniformly random words are sent.

    Args:
      code: `tfcoded.codes.Code`.
      channels: sequence of channels, see `transmit`; all are sent the same words.
      posterior: see `transmit`.
      seed: `int`.
      runs: `int`, at least 1.
      words: `int`, number of words sent at a time, at least 1; `runs * words` are sent in total.

    Returns:
      A list with one `dict` for each channel: `wer` and `ber`, each an `Estimate` over words.

    Raises:
      ValueError: if `runs` or `words` is not positive.

    Example:

    ```python
    error_rates(Repetition(8, 240), [BinarySymmetricChannel(p_keep=0.7)])[0]["wer"].value  # 0.09
    ```
    """
    return _error_rates(_sender(code, channels, posterior), code, len(channels), seed, runs, words)


def measure(
    codec,
    config,
    images,
    labels,
    classifier,
    channels,
    *,
    seed=0,
    runs=50,
    words=1000,
    batch_size=protocol.PSNR_BATCH,
):
    """What noisy channels do to words and to images.

    | name | what | standard error over |
    | --- | --- | --- |
    | `wer`, `ber` | fraction of wrong words and bits, of uniformly random words | words |
    | `wer_images`, `ber_images` | the same of the words of the images | images |
    | `psnr` | of received against original images, in decibels; mean over batches | batches |
    | `ssim` | of received against original images | images |
    | `accuracy` | fraction of received images that the classifier gives their true label | images |
    | `psnr_noiseless`, `ssim_noiseless`, `accuracy_noiseless` | the same without a channel | as above |
    | `psnr_loss` | `psnr_noiseless` minus `psnr` of the same images | batches |

    The smoothing in front of the decoder is drawn with the same seed with a channel, with another and without
    one: a word that arrives gives the same image.

    Args:
      codec: the model: its `encode` and `decode` are used, see `tfcoded.metrics.protocol`.
      config: its `tfcoded.config.Config`, which names the code.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      labels: `[N]` integer class labels, or `None`.
      classifier: function from images to logits, or `None`.
      channels: sequence of channels, see `transmit`.
      seed: `int`.
      runs, words: of the random words, see `error_rates`.
      batch_size: `int`; `psnr` depends on it, see `tfcoded.metrics.protocol`.

    Returns:
      A list with one `dict` for each channel, and a `dict` of the `..._noiseless`; all from the metric's name
      to an `Estimate`.

    Raises:
      ValueError: if there are no images, labels and images differ in number, or `runs` or `words` is not
        positive.

    Example:

    ```python
    channels = [BinarySymmetricChannel(p_keep=1 - p) for p in (0.0, 0.1, 0.2)]
    received, noiseless = measure(codec, config, images, None, None, channels)
    [found["psnr"].value for found in received], noiseless["psnr_noiseless"].value
    ```
    """
    protocol.check_images(images, labels)
    code = config.code.build()
    send = _sender(code, channels, posterior_of(config.objective))
    measured = _error_rates(send, code, len(channels), seed, runs, words)

    noiseless, samples = {}, [{} for _ in channels]
    labels = None if classifier is None else labels
    batches = _words(codec, images, labels, seed, batch_size, "images sent")
    for index, (batch, truth, sent, smoothing) in enumerate(batches):
        quiet = codec.decode(sent, smoothing)["images"]
        _keep_quality(noiseless, "_noiseless", batch, quiet, truth, classifier)
        for received, kept in zip(send(sent, _seed(seed, _OF_IMAGES, index)), samples):
            _keep_errors(kept, "_images", sent, received)
            _keep_quality(kept, "", batch, codec.decode(received, smoothing)["images"], truth, classifier)
    for kept in samples:
        kept["psnr_loss"] = np.subtract(noiseless["psnr_noiseless"], kept["psnr"])
    return [rates | _estimates(kept) for rates, kept in zip(measured, samples)], _estimates(noiseless)


def word_quality(codec, images, labels=None, classifier=None, *, seed=0, batch_size=protocol.PSNR_BATCH):
    """How well images survive as nothing but their most probable words, each of M bits.

    `tfcoded.metrics.reconstruction_metrics` measures what a sample of the posterior makes of an image; who stores or
    sends the bits has the most probable word. `psnr_words`, `ssim_words` and `accuracy_words` are `psnr_noiseless` and
    so on of `measure`, of the same seed.

    Args:
      codec, images, labels, classifier, seed, batch_size: as in `measure`.

    Returns:
      `dict` from the metric's name to an `Estimate`; without labels or a classifier there is no `accuracy_words`.

    Raises:
      ValueError: if there are no images, or labels and images differ in number.

    Example:

    ```python
    word_quality(codec, images)["psnr_words"].value  # decibels
    ```
    """
    protocol.check_images(images, labels)
    labels = None if classifier is None else labels
    samples = {}
    for batch, truth, sent, smoothing in _words(codec, images, labels, seed, batch_size, "images of words"):
        _keep_quality(samples, "_words", batch, codec.decode(sent, smoothing)["images"], truth, classifier)
    return _estimates(samples)


def _words(codec, images, labels, seed, batch_size, what):
    """Images in batches, their labels or `None`, their most probable words, and the seed that decodes these."""
    starts = range(0, len(images), batch_size)
    for index, start in enumerate(progress(starts, what, len(starts))):
        batch = protocol.as_float(images[start : start + batch_size])
        truth = None if labels is None else np.asarray(labels[start : start + batch_size])
        yield batch, truth, codec.encode(batch)["bits"], _seed(seed, _DECODING, index)


def _error_rates(send, code, channels, seed, runs, words):
    """`error_rates` of a traced sender over so many channels."""
    if runs < 1 or words < 1:
        raise ValueError(f"runs and words must be at least 1, got {runs} runs of {words} words")
    samples = [{} for _ in range(channels)]
    for run in progress(range(runs), "transmissions", runs):
        sent = seeds.bits([words, code.information_bits], _seed(seed, _WORDS, run))
        for received, kept in zip(send(sent, _seed(seed, _OF_WORDS, run)), samples):
            _keep_errors(kept, "", sent, received)
    return [_estimates(kept) for kept in samples]


def _sender(code, channels, posterior):
    """`transmit` over all channels at once, traced once: words and seed to a list of received words."""
    signature = [tf.TensorSpec([None, code.information_bits], tf.int32), tf.TensorSpec([2], tf.int32)]
    return tf.function(
        lambda bits, seed: [transmit(code, channel, bits, seed, posterior) for channel in channels],
        input_signature=signature,
    )


def _keep_errors(samples, suffix, sent, received):
    """Appends one number per word to the lists `wer` and `ber` of `samples`."""
    samples.setdefault(f"wer{suffix}", []).append(bit_metrics.word_errors(sent, received))
    samples.setdefault(f"ber{suffix}", []).append(bit_metrics.bit_errors(sent, received))


def _keep_quality(samples, suffix, images, received, truth, classifier):
    """Appends the quality of one batch of received images to the lists of `samples`."""
    samples.setdefault(f"psnr{suffix}", []).append([image_quality.psnr(images, received)])
    samples.setdefault(f"ssim{suffix}", []).append(image_quality.ssim(images, received))
    if truth is not None:
        correct = tf.argmax(classifier(received), axis=-1).numpy() == truth
        samples.setdefault(f"accuracy{suffix}", []).append(correct)


def _estimates(samples):
    return {name: estimate(np.concatenate(values)) for name, values in samples.items()}


def _seed(seed, *path):
    return protocol.seed_for(seed, protocol.TRANSMISSION, *path)
