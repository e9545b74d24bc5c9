"""Communication systems of 8x8 images, and their configurations."""

import numpy as np

from tfcoded import config, models

SYMBOLS, BANDS = 20, 5
_CASES = {
    # All that a receiver may have: several bands, told to a decoder that draws, and a prior that is learned.
    "bands": {
        "system": "joint",
        "channel": {"kind": "gaussian", "bands": BANDS, "reveal_bands": True},
        "prior": "draw",
        "decoder": {"kind": "alv"},
    },
    "separate": {"system": "separate", "channel": {"kind": "gaussian"}},
    "erasing": {
        "system": "joint",
        "channel": {"kind": "binary_erasure", "erase_probability": 0.25},
    },
    "channel": {"system": "channel_autoencoder", "channel": {"kind": "gaussian", "snr": 10}},
}
CASES = tuple(_CASES)


def configuration(name):
    """`tfcoded.config.communication.SystemConfig` of one of CASES."""
    case = _CASES[name]
    numbers = case["system"] == "channel_autoencoder"
    network = {"size": "smoke"} | ({} if numbers else {"image_shape": [8, 8, 3]})
    return config.from_dict(
        {
            "name": name,
            "dataset": "normal" if numbers else "images.npz",
            "beta": 0.0 if numbers else 0.1,
            "network": network,
            "training": {"epochs": 1, "batch_size": 8},
            **case,
            "channel": case["channel"] | {"symbols": SYMBOLS},
        }
    )


def build(settings, seed=0):
    """The system of a configuration, with random weights where it would start with zeros, and a power that was seen."""
    model = models.build(settings, seed)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "power" in weight.path:
            weight.assign(rng.uniform(0.5, 0.9, weight.shape))
        else:
            weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    return model


def images(settings, count, seed=0):
    """Random images, uint8 `[count, 8, 8, 3]`; float32 numbers for a channel autoencoder."""
    rng = np.random.default_rng(seed)
    if settings.system == "channel_autoencoder":
        return rng.normal(size=[count, SYMBOLS]).astype(np.float32)
    return rng.integers(0, 256, [count, 8, 8, 3]).astype(np.uint8)
