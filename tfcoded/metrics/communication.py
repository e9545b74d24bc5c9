"""How a communication system is measured: the images that arrive, the rates behind them, and flipped bits.

`codec` is a SavedModel of a system, or the object it was saved from. What is used of it:

    transmit(images, seed) -> {"symbols" [N, n]}, what is sent
    corrupt(symbols, seed) -> {"symbols" [N, n]}, what arrives of it
    receive(symbols, bands, seed) -> {"images" [N, H, W, C]}, of the first so many bands
    rates(images, seed) -> {"rate" [N], ...} in bits per image

Images are float32 in [0, 1], seeds int32 `[2]`, `bands` int32. A channel autoencoder sends numbers in place of images:
`[N, k]` from a standard normal law.
"""

import math

import numpy as np
import tensorflow as tf

from tfcoded.distributions import standard_normal
from tfcoded.metrics import protocol
from tfcoded.metrics.registry import CHANNEL_DRAWS
from tfcoded.metrics.summary import Estimate, estimate
from tfcoded.utils.progress import progress

# Purposes of random numbers below `protocol.COMMUNICATION`.
_SENT, _CORRUPTED, _RECEIVED, _RATES, _SOURCE = range(5)


def measure(codec, config, images, *, seed=0, draws=CHANNEL_DRAWS, batch_size=128):
    """How well images arrive, and how much of the channel that takes.

    | name | what |
    | --- | --- |
    | `mse` | squared error per pixel of [0, 1] when all bands are received; of a channel autoencoder per number |
    | `psnr` | decibels, `-10 log10(mse)` of that mean, not the mean over images; of images |
    | `mse_bands_0` .. `mse_bands_T` | the squared error when the first B bands are received; with several bands only |
    | `rate` | bits per image, the divergence of the encoder's law from the prior; not of a channel autoencoder |
    | `transmission_rate`, `source_rate` | bits per image, see `tfcoded.channels`; of channels that know such bounds |
    | `power` | mean square of what is sent, per symbol, nominally 1; of channels of numbers |
    | `capacity_used` | `source_rate` as a part of what the symbols can carry |
    | `ber` | fraction of bits that arrive flipped; of channels of bits |
    | `erased` | fraction of bits that do not arrive; of channels that erase |

    Errors are those of each received image, averaged over draws of the encoder, the channel and the filler, and not
    that of an averaged image. Different bandwidths share what arrives, so that they differ by what is lost alone.
    Standard errors are over images.

    Args:
      codec: the system, see the module's docstring.
      config: its `tfcoded.config.communication.SystemConfig`.
      images: `[N, H, W, C]`, uint8, or float32 in [0, 1]; of a channel autoencoder see `source`.
      seed: `int`.
      draws: `int`, at least 1; for `mse_bands_B` there are twice as many.
      batch_size: `int`, images at a time.

    Returns:
      `dict` from the metric's name to a `tfcoded.metrics.Estimate`.

    Raises:
      ValueError: if there are no images, or `draws` is not positive.

    Example:

    ```python
    codec = load_workdir("runs/bwlc_prior_gaussian")
    found = measure(codec, config, dataset.test_images[:1000])
    [found[f"mse_bands_{count}"].value for count in range(6)]
    ```

    #### References
    Ullrich, Viola, Rezende, "Neural Communication Systems with Bandwidth-limited Channel", 2020, section 6.
    """
    samples = communication_samples(codec, config, images, seed=seed, draws=draws, batch_size=batch_size)
    found = {name: estimate(values) for name, values in samples.items()}
    if config.system != "channel_autoencoder":
        found = {"mse": found["mse"], "psnr": _psnr(found["mse"]), **found}
    bits = config.channel.symbols * config.channel.capacity_bits
    if "source_rate" in found and math.isfinite(bits):
        value, error = found["source_rate"]
        found["capacity_used"] = Estimate(value / bits, None if error is None else error / bits)
    return found


def communication_samples(codec, config, images, *, seed=0, draws=CHANNEL_DRAWS, batch_size=128):
    """What `measure` gives the means of, so that two systems can be compared image by image.

    Args:
      codec, config, images, seed, draws, batch_size: as in `measure`.

    Returns:
      `dict` from the metric's name to an array `[N]`; without `psnr` and `capacity_used`, which are no means.

    Raises:
      ValueError: as `measure`.
    """
    images = np.asarray(images)
    protocol.check_images(images, None)
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    images = source(config, images, protocol.seed_for(seed, protocol.COMMUNICATION, _SOURCE))
    samples = {}
    starts = range(0, len(images), batch_size)
    for index, start in enumerate(progress(starts, "images sent", len(starts))):
        batch = protocol.as_float(images[start : start + batch_size])
        for name, values in _of_batch(codec, config, batch, seed, index, draws).items():
            samples.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in samples.items()}


def source(config, images, seed):
    """What a system sends: the images, or numbers in place of each where the system sends numbers.

    Args:
      config: `tfcoded.config.communication.SystemConfig`.
      images: `[N, ...]`, of the system's data set. Of a channel autoencoder they are `[N, 0]`, which only count, or
        the numbers themselves.
      seed: `int32 [2]`, of these numbers.

    Returns:
      `[N, ...]`, `images` themselves or np.float32 `[N, k]`.
    """
    if images.shape[1:] != (0,):
        return images
    return standard_normal(tf.zeros([len(images), config.channel.symbols]), seed).numpy()


def optimum(config):
    """The least squared error per coordinate with which any code sends normal numbers over the channel.

    With k numbers in n symbols it is `(1 + snr)^(-n / k)`, the distortion whose rate is the capacity; here n = k.

    Args:
      config: `tfcoded.config.communication.SystemConfig` of a channel autoencoder.

    Returns:
      `float`; 0 where the capacity is infinite.
    """
    return 4.0**-config.channel.capacity_bits


def notes(config):
    """What a reader of the numbers must know, a list of `str`.

    Args:
      config: `tfcoded.config.communication.SystemConfig`.
    """
    found = []
    if config.system == "channel_autoencoder":
        found.append(
            f"mse is per number drawn from a normal law; no code with as many symbols is below {optimum(config):.4g}"
        )
    found += config.channel.notes
    if config.system == "joint" and not config.channel.bits:
        found.append(f"objective {config.objective}, beta {config.beta:g}")
    return found


def _of_batch(codec, config, images, seed, index, draws):
    """As `communication_samples`, for one batch."""
    bands = config.channel.bands
    widths = range(bands + 1) if bands > 1 else (bands,)
    errors = {width: [] for width in widths}
    powers, flipped, erased = [], [], []
    for draw in range(2 * draws if bands > 1 else draws):
        path = index, draw
        sent = codec.transmit(images, _seed(seed, _SENT, *path))["symbols"]
        received = codec.corrupt(sent, _seed(seed, _CORRUPTED, *path))["symbols"]
        for width in widths:
            seed_of_width = _seed(seed, _RECEIVED, *path, width)
            shown = codec.receive(received, tf.constant(width, tf.int32), seed_of_width)["images"]
            if config.system != "channel_autoencoder":
                shown = tf.clip_by_value(shown, 0, 1)
            errors[width].append(_squared_error(images, shown))
        powers.append(np.mean(np.square(sent), axis=1))
        change = np.abs(received - sent)  # of bits: 1 where one was flipped, 1/2 where it was erased
        flipped.append(np.mean(change > 0.75, axis=1))
        erased.append(np.mean((change > 0.25) & (change < 0.75), axis=1))

    found = {"mse": np.mean(errors[bands][:draws], axis=0)}
    if bands > 1:
        found |= {f"mse_bands_{width}": np.mean(values, axis=0) for width, values in errors.items()}
    rates = codec.rates(images, _seed(seed, _RATES, index))
    found |= {name: rates[name].numpy() for name in ("rate", "transmission_rate", "source_rate") if name in rates}
    if config.channel.bits:
        found["ber"] = np.mean(flipped, axis=0)
    else:
        found["power"] = np.mean(powers, axis=0)
    if 0.5 in config.channel.alphabet:
        found["erased"] = np.mean(erased, axis=0)
    return found


def _squared_error(images, received):
    """`[N]` float64, the mean over all but the first axis."""
    difference = np.asarray(received, np.float64) - np.asarray(images, np.float64)
    return np.mean(np.square(difference).reshape(len(difference), -1), axis=1)


def _psnr(mse):
    value, error = mse
    if value == 0:
        return Estimate(math.inf, None)
    error = None if error is None else 10 / math.log(10) * error / value
    return Estimate(-10 * math.log10(value), error)


def _seed(seed, *path):
    return protocol.seed_for(seed, protocol.COMMUNICATION, *path)
