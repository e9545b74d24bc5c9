import dataclasses
import json

import numpy as np
import pytest

from tfcoded import zoo
from tfcoded.experiments import plan, records
from tfcoded.experiments.quantity import Quantity
from tfcoded.utils.errors import UserError

SETTINGS = plan.Settings(seeds=(0, 1), betas=(0.1, 1.0), snrs=(0.01, 100.0), train_images=45_000)


def test_separate_systems_are_composed():
    settings = dataclasses.replace(SETTINGS, betas=plan.BETAS, snrs=plan.SNRS, seeds=(0,))
    cells = plan.joint_and_separate(settings)
    assert len(cells) == 2 * 7 * 5 + 1 and cells[-1].name == "nothing_sent" and plan.betas_of(cells) == list(plan.BETAS)
    kinds = [run.config.system for run in plan.runs_of(cells)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"joint": 35, "source_vae": 7, "channel_autoencoder": 5}


def test_names_are_unique():
    for cells in (
        plan.joint_and_separate(dataclasses.replace(SETTINGS, betas=plan.BETAS, snrs=plan.SNRS)),
        plan.bandwidth_limited(SETTINGS, plan.PRIORS | plan.DECODERS),
    ):
        names = [cell.name for cell in cells]
        runs = [run.name for run in plan.runs_of(cells)]
        assert len(set(names)) == len(names) and len(set(runs)) == len(runs)


@pytest.mark.parametrize("label, snr", [("0p01", 0.01), ("100", 100.0)])
def test_systems_are_those_of_the_zoo(label, snr):
    """Settings are those of the entry but for data, size and training."""
    (cells,) = [
        [cell for cell in plan.joint_and_separate(SETTINGS) if (cell.snr, cell.beta, cell.seed) == (snr, 0.1, 0)]
    ]
    for cell in cells:
        entry = zoo.config(f"bwlc_{cell.label}_snr{label}")
        same = dict.fromkeys(("name", "dataset", "beta", "network"))
        there, here = (config.without_facts().model_dump() | same for config in (entry, cell.config))
        for key in ("epochs", "batch_size"):
            del there["training"][key], here["training"][key]
        assert there == here
        assert (cell.config.dataset, cell.config.network.size, cell.config.training.epochs) == ("cifar10", "small", 5)


def test_both_systems_have_the_same_channel_and_networks():
    for joint, separate in zip(*[iter(plan.joint_and_separate(SETTINGS))] * 2):
        assert (joint.label, separate.label) == ("joint", "separate")
        for name in ("beta", "channel", "network", "training", "dataset"):
            assert getattr(joint.config, name) == getattr(separate.config, name)
        source, channel = (run.config for run in separate.runs)
        assert source.beta == joint.beta and source.training == joint.config.training
        assert channel.channel == joint.config.channel
        assert channel.training.epochs == SETTINGS.channel_epochs
        assert {run.seed for run in separate.runs} == {joint.seed}


def test_own_beta_unless_others_are_asked_for():
    own = plan.bandwidth_limited(dataclasses.replace(SETTINGS, betas=()), plan.PRIORS)
    assert [cell.beta for cell in own] == [zoo.config(plan.PRIORS[cell.label]).beta for cell in own]
    assert len(plan.bandwidth_limited(SETTINGS, plan.DECODERS)) == 8


def test_overrides_and_other_images():
    settings = dataclasses.replace(
        SETTINGS, dataset="my images: 1.npz", image_shape=(16, 8, 1), overrides=("channel.marginalise=mc",)
    )
    cell = plan.bandwidth_limited(settings, plan.PRIORS)[0]
    assert cell.config.channel.marginalise == "mc" and cell.config.network.image_shape == (16, 8, 1)
    assert cell.config.dataset == "my images: 1.npz"


def test_shape_of_images(tmp_path):
    assert plan.image_shape("celeba") == (32, 32, 3)
    np.savez(tmp_path / "x.npz", train_images=np.zeros([3, 16, 8, 3], np.uint8))
    with pytest.raises(UserError, match="expected images"):
        plan.image_shape("normal")


def write(out, cell, settings=SETTINGS):
    metrics = {"mse": Quantity.mean(np.random.default_rng(0).random(100) / 30), "rate": Quantity(3.0)}
    records.write(out, cell, settings, metrics, {"mse": 0.02}, [{"run": "a"}], ["1f", "2e"])
    return metrics


def test_record_round_trip(tmp_path):
    cell = plan.joint_and_separate(SETTINGS)[1]
    assert records.read(tmp_path, cell, SETTINGS) is None
    metrics = write(tmp_path, cell)
    found = records.read(tmp_path, cell, SETTINGS)
    assert found.metrics["mse"].value == metrics["mse"].value and found.validation == {"mse": 0.02}
    np.testing.assert_allclose(found.metrics["mse"].replicates, metrics["mse"].replicates, rtol=1e-8)
    assert found.metrics["mse"].standard_error == pytest.approx(metrics["mse"].standard_error, rel=1e-5)
    assert found.metrics["rate"].replicates is None
    file = records.path(tmp_path, cell)
    assert file.name == "separate_snr0.01_beta0.1_seed0.json" and file.stat().st_size < 5000
    content = json.loads(file.read_text())
    assert content["seed"] == 0 and content["command"] and content["versions"] and content["hardware"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epochs": 6}, "training.epochs: 5 there, 6 here"),
        ({"channel_epochs": 6}, "channel_autoencoder.training.epochs: 15 there, 6 here"),
        ({"size": "smoke"}, "network.size: small there, smoke here"),
        ({"train_images": 100}, "train_images: 45000 there, 100 here"),
        ({"eval_images": 100}, "eval_images: None there, 100 here"),
        ({"draws": 1}, "draws: 4 there, 1 here"),
        ({"overrides": ("channel.power=codeword",)}, "channel.power: batch there, codeword here"),
    ],
)
def test_record_of_other_settings_is_refused(change, message, tmp_path):
    write(tmp_path, plan.joint_and_separate(SETTINGS)[1])
    settings = dataclasses.replace(SETTINGS, **change)
    with pytest.raises(UserError, match="measured with other settings") as error:
        records.read(tmp_path, plan.joint_and_separate(settings)[1], settings)
    assert message in str(error.value)


def test_distance_belongs_to_the_settings(tmp_path):
    cells = [plan.bandwidth_limited(SETTINGS, plan.DECODERS, distances)[0] for distances in (True, False)]
    write(tmp_path, cells[0])
    settings = dataclasses.replace(SETTINGS, inception="weights.npz")
    with pytest.raises(UserError, match="distance: fd_classifier there, fid here"):
        records.read(tmp_path, cells[0], settings)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"metrics": []}',
        '{"metrics": {"mse": 1}}',
        '{"metrics": {}, "validation": {}, "settings": []}',
        '{"metrics": {}, "validation": [], "settings": {}}',
    ],
)
def test_damaged_record(text, tmp_path):
    cell = plan.joint_and_separate(SETTINGS)[0]
    records.path(tmp_path, cell).parent.mkdir()
    records.path(tmp_path, cell).write_text(text)
    with pytest.raises(UserError, match="is damaged"):
        records.read(tmp_path, cell, SETTINGS)
