"""The trained models in the repository's own zoo: hashes, signatures, and what they compute."""

import json

import pytest

from export import card
from tfcoded import families, zoo
from tfcoded.zoo import checksums, verification

TRAINED = zoo.trained()
MODELS = [name for name in TRAINED if not name.startswith(zoo.CLASSIFIER)]


def kind(name):
    return "classifier" if name.startswith(zoo.CLASSIFIER) else families.of(zoo.config(name)).name


@pytest.mark.parametrize("name", {kind(name): name for name in TRAINED}.values())
def test_one_trained_model_of_each_kind(name):
    assert verification.verify(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_every_trained_model(name):
    assert verification.verify(name)


def test_every_file_is_listed_and_nothing_else():
    root = zoo.directory()
    found = [path for entry in root.iterdir() for path in entry.glob("[0-9]*/**/*") if path.is_file()]
    found += root.glob("*/golden.npz")
    assert sorted(path.relative_to(root).as_posix() for path in found) == list(checksums.read(root))


def test_the_zoo_stays_small():
    """A clone holds every file twice, and is to stay below 700 MB with what the history has besides."""
    assert sum(path.stat().st_size for path in zoo.directory().rglob("*")) < 262e6


@pytest.mark.parametrize("name", MODELS)
def test_what_belongs_to_a_model(name):
    folder = zoo.directory() / name
    present = {path.name for path in folder.iterdir()}
    expected = {"1", "README.md", "config.yaml", "golden.npz", "history.json", "learning_curves.png", "metrics.json"}
    system = getattr(zoo.config(name), "system", None)
    if system is None:
        expected |= {"samples.png"}
    if system != "channel_autoencoder":  # which shows nothing
        expected |= {"reconstructions.png"}
    assert expected <= present
    record = json.loads((folder / "metrics.json").read_text())
    assert record["name"] == name
    train = folder / "metrics_train.json"
    train = zoo.read_record(train) if train.exists() else None
    pictures = [picture for picture in card.PICTURES if picture in present]
    text = card.card(zoo.config(name), zoo.read_record(folder / "metrics.json"), train, pictures)
    assert (folder / "README.md").read_text() == text  # python -m export.ship --cards writes it again
    assert json.loads((folder / "history.json").read_text())["epoch"] == [*range(1, record["epochs"] + 1)]
    assert record["bytes"] == sum(path.stat().st_size for path in (folder / "1").rglob("*") if path.is_file())


def test_the_elbo_is_a_lower_bound_without_a_code_only():
    """docs/results.md says so: with copies of bits it is far above the likelihood that their words alone give."""
    uncoded, coded = (zoo.measured(name) for name in ("uncoded_8", "coded_8_240"))
    for measured, sign in ((uncoded, 1), (coded, -1)):
        gap = measured["log_likelihood_hard"].value - measured["elbo"].value
        assert sign * gap > 3 * measured["log_likelihood_hard"].standard_error
