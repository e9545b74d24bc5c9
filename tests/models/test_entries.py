"""The objectives of the zoo's entries: the estimator that each configuration asks for, and that it trains."""

import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from tfcoded import codes, zoo
from tfcoded.models import AdamL2, CodedDVAE, Elbo, ImportanceWeighted, LeaveOneOut

# name -> estimator, its settings
SEVERAL_SAMPLES = {
    "uncoded_8_iwae_10": (ImportanceWeighted, 10, 0.0, False),
    "uncoded_8_iwae_20": (ImportanceWeighted, 20, 0.0, False),
    "uncoded_8_iwae_30": (ImportanceWeighted, 30, 0.0, False),
    "uncoded_8_iwae_100": (ImportanceWeighted, 100, 0.0, False),
    "uncoded_8_vriwae_10": (ImportanceWeighted, 10, 0.5, False),
    "uncoded_8_vriwae_20": (ImportanceWeighted, 20, 0.5, False),
    "uncoded_8_vriwae_30": (ImportanceWeighted, 30, 0.5, False),
    "uncoded_8_vriwae_dr_10": (ImportanceWeighted, 10, 0.5, True),
    "uncoded_8_vriwae_dr_20": (ImportanceWeighted, 20, 0.5, True),
    "uncoded_8_vriwae_dr_30": (ImportanceWeighted, 30, 0.5, True),
}
# name -> (information bits, code bits, minimum distance)
RANDOM = {
    "random_5_50": (5, 50, 14),
    "random_8_80": (8, 80, 22),
    "random_8_240": (8, 240, 87),
    "random_10_100": (10, 100, 27),
}


def described(objective):
    if isinstance(objective, Elbo):
        return Elbo, objective.samples
    if isinstance(objective, LeaveOneOut):
        return LeaveOneOut, objective.samples, objective.exact_kl
    return ImportanceWeighted, objective.samples, objective.alpha, objective.doubly_reparameterized


def test_every_entry_has_the_objective_of_its_name():
    for name in zoo.list():
        config = zoo.config(name)
        if hasattr(config, "code"):  # no communication system
            expected = (LeaveOneOut, 10, True) if name in RANDOM else SEVERAL_SAMPLES.get(name, (Elbo, 1))
            assert described(config.objective.build()) == expected, name


@pytest.mark.parametrize("name", RANDOM)
def test_random_codes_are_the_pinned_ones(name):
    code = zoo.config(name).code
    information_bits, code_bits, distance = RANDOM[name]
    assert (code.kind, code.information_bits, code.code_bits) == ("random", (information_bits,), (code_bits,))
    assert codes.RandomCode(information_bits, code_bits, code.seed).minimum_distance == distance
    text = (zoo.directory() / name / "config.yaml").read_text()
    assert f"minimum distance {distance})" in text.splitlines()[0]


@pytest.mark.parametrize("name", [*SEVERAL_SAMPLES, "random_5_50", "random_8_80"])
def test_it_trains(name, monkeypatch):
    """Small networks learn one image, by the entry's own code, objective and number of samples in memory at once."""
    tiny_networks.replace_networks(monkeypatch)
    model = CodedDVAE.from_configuration(zoo.config(name))
    model.compile(AdamL2(1e-3))
    image = np.random.default_rng(0).integers(0, 256, [1, 28, 28, 1]).astype(np.uint8)
    images = tf.data.Dataset.from_tensor_slices(image.repeat(32, axis=0)).batch(8)
    history = model.fit(images, epochs=3, verbose=0).history
    bound = history[model.objective.bound]
    assert 75 < bound[-1] - bound[0] < 110  # measured: 88 to 96 nats, seeds fixed
