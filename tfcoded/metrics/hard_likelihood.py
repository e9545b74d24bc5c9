"""Log-likelihood of images under the model that images are generated from: whole codewords."""

import dataclasses
import math

import numpy as np

from tfcoded import codes, seeds
from tfcoded.distributions import TruncatedExponential
from tfcoded.metrics.protocol import as_float
from tfcoded.progress import progress

LARGEST = 10  # information bits; beyond, 2^M words are too many

_IMAGES = 1000  # at a time
_NOISE = 101  # purpose of random numbers, see tfcoded.metrics.protocol


def hard_log_likelihood(codec, config, images, *, seed=0, draws=4, batch_size=300):
    """log p(x) under hard encoding, by enumeration of the words.

    ```none
    log p(x) = log 2^-M sum_m E_{z ~ p(z | c(m))} p(x | z)
    ```

    The expectation is a mean over a few draws of z, the same for all images, so every word is decoded once
    for up to 1,000 images. It is unbiased for p(x), and its logarithm a lower bound in expectation. For any
    code that has a codebook.

    Args:
      codec: the model; what is used of it is `log_likelihoods(images [N, h, w, c], z [S, D]) ->
        {"log_likelihood" [N, S]}`, of each image given each z, in nats.
      config: its `tfcoded.config.Config`, with at most 10 information bits.
      images: `[N, h, w, c]`, uint8, or float32 in [0, 1].
      seed: `int`.
      draws: `int`, draws of z for each word.
      batch_size: `int`, number of z decoded at a time.

    Returns:
      `np.float64` `[N]`, in nats.

    Raises:
      ValueError: if the model has more than 10 information bits.

    Example:

    ```python
    hard_log_likelihood(codec, zoo.config("coded_8_240"), data.test_images[:1000]).mean()
    ```
    """
    if config.information_bits > LARGEST:
        raise ValueError(
            f"words are enumerated up to {LARGEST} bits, this model has {config.information_bits}"
        )
    codewords = codes.build(**dataclasses.asdict(config.code)).codebook
    rate = config.beta * (1.0 - 2.0 * np.tile(codewords, [draws, 1]).astype(np.float32))
    z = TruncatedExponential(rate).sample(seed=seeds.derive(seed, seeds.EVALUATE, _NOISE))
    total = np.full(len(images), -np.inf)
    blocks = [
        (slice(image, image + _IMAGES), slice(word, word + batch_size))
        for image in range(0, len(images), _IMAGES)
        for word in range(0, len(z), batch_size)
    ]
    for of_images, of_words in progress(blocks, "words", len(blocks)):
        scores = codec.log_likelihoods(as_float(images[of_images]), z[of_words])["log_likelihood"].numpy()
        scores = np.logaddexp.reduce(scores.astype(np.float64), axis=1)
        total[of_images] = np.logaddexp(total[of_images], scores)
    return total - math.log(len(z))
