"""Models with narrow dense layers, and their configurations."""

import contextlib

import numpy as np
import pytest
import tiny_networks

from tfcoded import config
from tfcoded.models import AdamL2, CodedDVAE
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.zoo.saving import export_saved_model

CODES = {
    "uncoded": ({"kind": "uncoded", "information_bits": 4, "code_bits": 4}, "grey"),
    "repetition": ({"kind": "repetition", "information_bits": 5, "code_bits": 20}, "grey"),
    "hierarchical": ({"kind": "hierarchical", "information_bits": [3, 3], "code_bits": [6, 6]}, "colour"),
    "random": ({"kind": "random", "information_bits": 4, "code_bits": 16, "seed": 1}, "grey"),
}


def configuration(name, width=16):
    """`tfcoded.config.Config` of one of CODES."""
    code, kind = CODES[name]
    grey = kind == "grey"
    return config.from_dict(
        {
            "name": name,
            "dataset": "fashion_mnist" if grey else "cifar10",
            "likelihood": "bernoulli" if grey else "gaussian",
            "beta": 15,
            "code": code,
            "network": {
                "image_shape": [28, 28, 1] if grey else [32, 32, 3],
                "encoder_width": width,
                "decoder_width": width,
            },
            "objective": {"kind": "reinforce_loo", "samples": 4} if name == "random" else {},
            "training": {"epochs": 1},
        }
    )


@contextlib.contextmanager
def networks(name):
    """Within it models of this one of CODES have the published networks if it is hierarchical, else tiny ones."""
    with pytest.MonkeyPatch.context() as patch:
        if name != "hierarchical":
            tiny_networks.replace_networks(patch)
        yield


def save(name, folder, **settings):
    """Writes a SavedModel of one of CODES, with random weights, to `folder / name`; `settings` replace its own."""
    settings = configuration(name).replace(**settings)
    with networks(name):
        export_saved_model(build(settings, contrast=True), settings, folder / name)


def build(settings, seed=0, contrast=False):
    """The model of a configuration with random weights.

    Args:
      settings: `tfcoded.config.Config`.
      seed: `int`.
      contrast: `bool`, whether to enlarge the last kernels of encoder and decoder: initial weights give
        probabilities and pixels near 1/2, which would hide mistakes.
    """
    model = CodedDVAE.from_configuration(settings, seed=seed)
    if contrast:
        factors = (15, 4) if isinstance(model.encoder, tiny_networks.Encoder) else (300, 20)
        for layer, factor in zip((model.encoder.head, model.decoder.head[-1]), factors):
            layer.kernel.assign(factor * np.asarray(layer.kernel))
    return model


def images(settings, count, seed=0):
    """Random images, uint8 `[count, h, w, c]`; first a black one, then a white one, then others."""
    rng = np.random.default_rng(seed)
    brightness = rng.random((count, 1, 1, 1))
    noise = rng.random((count, *settings.network.image_shape))
    pixels = np.where(brightness < 0.5, 2 * brightness * noise, 1 - 2 * (1 - brightness) * noise)
    pixels[:2] = np.array([0, 1])[:count, np.newaxis, np.newaxis, np.newaxis]
    return np.rint(255 * pixels).astype(np.uint8)


def work_directory(folder, epochs=2):
    """Writes a training run's folder; returns its settings and model."""
    settings = configuration("repetition")
    model = build(settings, seed=5, contrast=True)
    optimizer = AdamL2(1e-4)
    optimizer.build(model.trainable_variables)
    folder.mkdir()
    (folder / "config.yaml").write_text(config.to_yaml(settings))
    checkpoints = Checkpoints(folder, model, optimizer)
    bias = model.encoder.head.bias
    for epoch in range(1, epochs + 1):
        bias.assign(bias + 0.1)
        checkpoints.save(epoch)
    return settings, model
