"""Training and measuring what is missing: with real networks once, otherwise with invented ones."""

import dataclasses
import json
import threading

import numpy as np
import pytest

from tfcoded.experiments import plan, running, work
from tfcoded.experiments.quantity import Quantity
from tfcoded.utils.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Of experiments with 40 images of 8x8."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    images = RNG.integers(0, 256, [60, 8, 8, 3]).astype(np.uint8)
    np.savez(path, train_images=images[:40], test_images=images[:30])
    return plan.Settings(
        dataset=str(path),
        size="smoke",
        epochs=1,
        channel_epochs=1,
        batch_size=8,
        seeds=(0,),
        betas=(0.1,),
        snrs=(1.0,),
        validation_images=16,
        draws=1,
        image_shape=(8, 8, 3),
    )


@pytest.fixture
def invented(monkeypatch):
    """Trainings and measurements that take no time; the list of what was done."""
    done = []

    def train(shop, run):
        if shop.trained(run):
            return 0.0
        done.append(run.name)
        return 1.0

    def measure(shop, cell):
        done.append(cell.name)
        metrics = {"mse": Quantity(0.1), "rate": Quantity(1.0)}
        work.records.write(shop.out, cell, shop.settings, metrics, {"mse": 0.1}, [], shop._images)

    monkeypatch.setattr(work.Workshop, "train", train)
    monkeypatch.setattr(work.Workshop, "trained", lambda shop, run: run.name in done)
    monkeypatch.setattr(work.Workshop, "_measure", measure)
    return done


def test_from_images_to_figures(settings, tmp_path, capsys):
    names = ["bwlc_fig4", "bwlc_fig8"]
    running.run(names, settings, tmp_path)
    assert sorted(path.name for path in (tmp_path / "cells").iterdir()) == [
        "joint_snr1_beta0.1_seed0.json",
        "nothing_sent.json",
        "separate_snr1_beta0.1_seed0.json",
    ]
    with np.load(settings.dataset) as images:
        train, test = (images[name] / 255 for name in ("train_images", "test_images"))
    nothing = json.loads((tmp_path / "cells" / "nothing_sent.json").read_text())
    mean = train[:24].mean(axis=0)  # without the validation images
    assert nothing["metrics"]["mse"]["value"] == pytest.approx(np.mean((test - mean) ** 2), rel=1e-9)
    assert nothing["validation"]["mse"] == pytest.approx(np.mean((train[24:] - mean) ** 2), rel=1e-9)
    assert len(nothing["replicates"]["mse"]) == 20 and nothing["training"] == []
    content = json.loads((tmp_path / "cells" / "separate_snr1_beta0.1_seed0.json").read_text())
    assert 0 < content["metrics"]["mse"]["value"] < 1 and content["metrics"]["transmission_rate"]["value"] > 0
    assert content["settings"]["train_images"] is None
    assert [run["train_images"] for run in content["training"]] == [24, 24]
    for name in names:
        assert (tmp_path / name / "figure.png").stat().st_size > 5000
    table = (tmp_path / "bwlc_fig4" / "table.csv").read_text()

    # The trainings are not needed again, nor is anything trained.
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    capsys.readouterr()
    running.run(["bwlc_fig4"], settings, tmp_path, train=False)
    assert (tmp_path / "bwlc_fig4" / "table.csv").read_text() == table
    assert "trained" not in capsys.readouterr().out
    (tmp_path / "elsewhere").rename(tmp_path / "runs")
    other = dataclasses.replace(settings, train_images=8)
    for path in (tmp_path / "cells").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"holds another run \(train_images 24, not 8\)"):
        running.run(["bwlc_fig4"], other, tmp_path)


@pytest.mark.slow
def test_bands_from_images_to_figures(settings, tmp_path, monkeypatch):
    def classify(images):
        return np.asarray(images, np.float64)[:, :2, 0, 0]

    monkeypatch.setattr("tfcoded.zoo.sources.load_classifier", lambda dataset, zoo_dir: classify)
    names = ["bwlc_fig5", "bwlc_fig6", "bwlc_fig7"]
    running.run(names, settings, tmp_path)
    for name in names:
        assert (tmp_path / name / "figure.png").stat().st_size > 5000
    assert not (tmp_path / "bwlc_fig7" / "claims.md").exists()
    content = json.loads((tmp_path / "bwlc_fig6" / "result.json").read_text())
    assert len(content["rows"]) == 6 and content["originals"] > 0


def test_a_result_is_not_replaced_by_one_of_fewer_cells(settings, tmp_path, invented):
    full = dataclasses.replace(settings, seeds=(0, 1))
    running.run(["bwlc_fig4"], full, tmp_path)
    folder = tmp_path / "bwlc_fig4"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refusal = r"a result of 5 cells, 2 of which this one would lack \(joint_snr1_beta0.1_seed1, "
    for train in (True, False):
        with pytest.raises(UserError, match=refusal):
            running.run(["bwlc_fig4"], settings, tmp_path, train=train)
    (folder / "result.json").write_text("{")
    with pytest.raises(UserError, match="result.json is damaged .*--overwrite"):
        running.run(["bwlc_fig4"], full, tmp_path, train=False)
    (folder / "result.json").write_bytes(before["result.json"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    running.run(["bwlc_fig4"], dataclasses.replace(full, snrs=(1.0, 10.0)), tmp_path)  # of more
    assert len(json.loads((folder / "result.json").read_text())["cells"]) == 9
    running.run(["bwlc_fig4"], settings, tmp_path, train=False, overwrite=True)
    assert json.loads((folder / "result.json").read_text())["seeds"] == [0]


def test_missing_cells_are_named(settings, tmp_path):
    with pytest.raises(UserError, match=r"3 of 3 cells of bwlc_fig4 are not measured \(joint_snr1_beta0.1_seed0, sep"):
        running.run(["bwlc_fig4"], settings, tmp_path, train=False)


def test_everything_is_done_once(settings, tmp_path, invented):
    settings = dataclasses.replace(settings, betas=(0.1, 1.0), snrs=(1.0, 10.0))
    cells = plan.joint_and_separate(settings)
    shop = work.Workshop(tmp_path, tmp_path / "runs", settings)
    shop.complete(cells[:3])
    shop.complete(cells)
    names = [cell.name for cell in cells] + [run.name for run in plan.runs_of(cells)]
    assert sorted(invented) == sorted(names)


def test_cells_of_exchanged_images_are_refused(settings, tmp_path, invented):
    cells = plan.joint_and_separate(settings)
    work.Workshop(tmp_path, tmp_path / "runs", settings).complete(cells[:1])
    with np.load(settings.dataset) as arrays:
        images = dict(arrays)
    np.savez(settings.dataset, **{name: 255 - array for name, array in images.items()})
    try:
        with pytest.raises(UserError, match="was measured with other images of"):
            work.Workshop(tmp_path, tmp_path / "runs", settings).complete(cells)
    finally:
        np.savez(settings.dataset, **images)
    assert len(invented) == 1 + len(cells[0].runs)


def test_what_another_process_does_is_left_to_it(settings, tmp_path, invented):
    """The lock of a training is held for a while: all else is done first, and what needs it at the end."""
    cells = plan.joint_and_separate(dataclasses.replace(settings, snrs=(1.0, 10.0)))
    shop = work.Workshop(tmp_path, tmp_path / "runs", settings)
    source = cells[1].runs[0]
    done_meanwhile = []
    with work._lock(shop._run_lock(source)) as mine:
        assert mine
        thread = threading.Thread(target=shop.complete, args=[cells])
        thread.start()
        thread.join(timeout=3)
        assert thread.is_alive()  # waits
        done_meanwhile += invented
    thread.join(timeout=60)
    assert not thread.is_alive() and all(shop.measured(cell) for cell in cells)
    assert [name for name in done_meanwhile if name.startswith(("source", "separate"))] == []
    assert {cells[0].name, cells[2].name} <= set(done_meanwhile)


def test_too_few_images(settings, tmp_path):
    for change in ({"validation_images": 40}, {"train_images": 25}):
        with pytest.raises(UserError, match="has 40 training images: not enough"):
            work.Workshop(tmp_path, tmp_path / "runs", dataclasses.replace(settings, **change))


def test_sheet_needs_one_beta(settings, tmp_path):
    with pytest.raises(UserError, match="one beta"):
        running.run(["bwlc_fig7"], dataclasses.replace(settings, betas=(0.1, 1.0)), tmp_path)


def test_batches_are_of_one_size():
    assert [work._batch_size(count) for count in (10, 256, 257, 2500, 10_000)] == [10, 256, 129, 250, 250]
