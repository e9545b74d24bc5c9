"""How much of a code the images make use of."""

import numpy as np

from tfcoded.metrics.protocol import as_float, check_images
from tfcoded.metrics.summary import Estimate
from tfcoded.utils.progress import progress


def word_usage(codec, images, batch_size=500):
    """Counts the words that are the likeliest of some image.

    A model may leave words unused, whose bits are then lost: `words_used` is the number of different words, of 2^M, and
    `usage_entropy` the entropy of their frequencies in bits, M where all are used equally often. Of few images both are
    too small: there cannot be more words than images.

    Args:
      codec: the model, see `tfcoded.metrics.protocol`.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1].
      batch_size: `int`, images encoded at a time.

    Returns:
      `dict` from the metric's name to an `Estimate` without a standard error: these images are counted, not a sample.

    Raises:
      ValueError: if there are no images.

    Example:

    ```python
    word_usage(zoo.load("coded_8_240"), images)  # {"words_used": Estimate(value=256.0, ...), "usage_entropy": ...}
    ```
    """
    images = np.asarray(images)
    check_images(images, None)
    starts = range(0, len(images), batch_size)
    words = [
        codec.encode(as_float(images[start : start + batch_size]))["bits"]
        for start in progress(starts, "words", len(starts))
    ]
    _, counts = np.unique(np.concatenate(words), axis=0, return_counts=True)
    frequencies = counts / counts.sum()
    entropy = -np.sum(frequencies * np.log2(frequencies))
    return {"words_used": Estimate(float(len(counts)), None), "usage_entropy": Estimate(float(entropy), None)}
