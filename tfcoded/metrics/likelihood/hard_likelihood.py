"""Log-likelihood of images under the model that images are generated from: whole codewords."""

import math

import numpy as np

from tfcoded.codes import DECODED_BITS
from tfcoded.distributions import TruncatedExponential
from tfcoded.metrics.monte_carlo import log_mean
from tfcoded.metrics.protocol import as_float
from tfcoded.utils import seeds
from tfcoded.utils.progress import progress

DRAWS = 4  # of z for each word
_IMAGES = 1000  # at a time
_NOISE = 101  # purpose of random numbers, see tfcoded.metrics.protocol


def hard_log_likelihood(codec, config, images, *, seed=0, draws=DRAWS, batch_size=300):
    """log p(x) under hard encoding, by enumeration of the words: the logarithm of the mean weight of `hard_log_weights`.

    A lower bound in expectation, which rises with the number of draws: `tfcoded.metrics.monte_carlo` tells by how much.
    Takes, raises what `hard_log_weights` does.

    Returns:
      `np.float64` `[N]`, in nats.

    Example:

    ```python
    hard_log_likelihood(codec, zoo.config("coded_8_240"), data.test_images[:1000]).mean()
    ```
    """
    return log_mean(hard_log_weights(codec, config, images, seed=seed, draws=draws, batch_size=batch_size))


def hard_log_weights(codec, config, images, *, seed=0, draws=DRAWS, batch_size=300):
    """Unbiased estimates of p(x) under hard encoding from each of several draws of z, by enumeration of the words.

    ```none
    w_s = 2^-M sum_m p(x | z_ms),     z_ms ~ p(z | c(m)),     p(x) = E w_s
    ```

    The draws are the same for all images, so that every z is decoded once for up to 1,000 images. For any code that has
    a codebook.

    Args:
      codec: the model; what is used of it is `log_likelihoods(images [N, h, w, c], z [S, D]) ->
        {"log_likelihood" [N, S]}`, of each image given each z, in nats.
      config: its `tfcoded.config.Config`, with at most 10 information bits.
      images: `[N, h, w, c]`, uint8, or float32 in [0, 1].
      seed: `int`.
      draws: `int`, draws of z for each word.
      batch_size: `int`, number of z decoded at a time.

    Returns:
      `log w_s`, `np.float64` `[N, draws]`, in nats.

    Raises:
      ValueError: if the model has more than 10 information bits.
    """
    if config.information_bits > DECODED_BITS:
        raise ValueError(f"words are enumerated up to {DECODED_BITS} bits, this model has {config.information_bits}")
    codewords = config.code.build().codebook
    rate = config.beta * (1.0 - 2.0 * np.tile(codewords, [draws, 1]).astype(np.float32))
    z = TruncatedExponential(rate).sample(seed=seeds.derive(seed, seeds.EVALUATE, _NOISE))
    draw = np.repeat(np.arange(draws), len(codewords))  # which one each z belongs to
    total = np.full([len(images), draws], -np.inf)
    blocks = [
        (slice(image, image + _IMAGES), slice(start, start + batch_size))
        for image in range(0, len(images), _IMAGES)
        for start in range(0, len(z), batch_size)
    ]
    for of_images, of_z in progress(blocks, "words", len(blocks)):
        scores = codec.log_likelihoods(as_float(images[of_images]), z[of_z])["log_likelihood"].numpy()
        present, first = np.unique(draw[of_z], return_index=True)
        sums = np.logaddexp.reduceat(scores.astype(np.float64), first, axis=1)
        total[of_images, present] = np.logaddexp(total[of_images, present], sums)
    return total - math.log(len(codewords))
