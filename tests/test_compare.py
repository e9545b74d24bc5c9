"""python -m tfcoded.compare, in processes of its own, on small SavedModels and the user's images."""

import json

import commands
import fake_codec
import numpy as np
import pytest
from PIL import Image

from tfcoded import compare, config, pictures

HISTORY = {"epoch": [1, 2], "elbo": [-9.0, -8.0], "val_elbo": [-9.5, -8.5], "seconds": [1.0, 1.0]}


def run(folder, *arguments):
    return commands.run("tfcoded.compare", f"--zoo_dir={folder}", *arguments, cwd=folder)


def refused(folder, message, *arguments):
    done = run(folder, *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line, line


def entry(folder, name, dataset, branches, history=None, weights=True, shade=0.5):
    """A zoo entry."""
    (folder / name).mkdir()
    if weights:
        fake_codec.save(folder / name / "1", dataset, branches, shade, name)
    (folder / name / "config.yaml").write_text(config.to_yaml(fake_codec.settings(name, dataset, branches)))
    (folder / name / "metrics.json").write_text(json.dumps({"epochs": 2}))
    if history is not None:
        (folder / name / "history.json").write_text(json.dumps(history))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [34, 28, 28, 1]).astype(np.uint8)
    np.savez(folder / "images.npz", train_images=images[:4], test_images=images[4:])
    mine = str(folder / "images.npz")
    entry(folder, "three", mine, (3,), HISTORY)
    entry(folder, "six", mine, (3, 3), {**HISTORY, "val_elbo": [-5.0, -4.0]}, shade=0.25)
    entry(folder, "twin", mine, (3,), {"epoch": [1], "elbo": [-9.0]})
    entry(folder, "other", str(folder / "absent.npz"), (3,), HISTORY)
    entry(folder, "unrecorded", mine, (3,))
    entry(folder, "planned", mine, (3,), HISTORY, weights=False)
    return folder


def rows(path, count, columns):
    """The pixels of a sheet's rows, an array `[count, columns, 112, 112]` of grey levels."""
    sheet = np.asarray(Image.open(path).convert("L"))
    pitch = pictures.CELL + pictures.GAP
    left = sheet.shape[1] - pictures.MARGIN - columns * pitch + pictures.GAP
    top = pictures.MARGIN + pictures.LINE + pictures.GAP  # the heading
    ys, xs = top + pitch * np.arange(count), left + pitch * np.arange(columns)
    cells = [sheet[y : y + pictures.CELL, x : x + pictures.CELL] for y in ys for x in xs]
    return np.array(cells).reshape(count, columns, pictures.CELL, pictures.CELL).astype(int)


def test_the_same_images_side_by_side(zoo):
    done = run(zoo, "--models=three,six", "--out=out", "--columns=4", "--sample_rows=3")
    assert done.returncode == 0, done.stderr
    names = ["reconstructions.png", "words.png", "samples.png", "learning_curves.png"]
    assert done.stdout.split() == [f"out/{name}" for name in names]

    original, three, six = rows(zoo / "out" / "reconstructions.png", 3, 4)
    assert original.std() > 50
    assert abs(three - original / 2).max() <= 1 and abs(six - original / 4).max() <= 1

    again, *from_words = rows(zoo / "out" / "words.png", 3, 4)
    assert (again == original).all()
    for bits, found in zip((3, 6), from_words, strict=True):  # stripes, from the first row of pixels of each
        stripes = 255 * (original[:, : 8 * bits : 8].mean(axis=2) > 127.5)
        assert 0 < stripes.mean() < 255
        expected = np.pad(np.repeat(stripes, 8, axis=1), [(0, 0), (0, 112 - 8 * bits)])
        assert (found == expected[:, :, np.newaxis]).all()

    samples = rows(zoo / "out" / "samples.png", 6, 4)
    assert (samples[:3, :, 24:] == 0).all()  # stripes of three bits, eight rows of pixels each
    assert (samples[3:, :, 24:48] > 0).any() and (samples[3:, :, 48:] == 0).all()  # of six

    curves = np.asarray(Image.open(zoo / "out" / "learning_curves.png").convert("RGB")).reshape(-1, 3)
    assert {(0x1F, 0x5F, 0xA8), (0xD9, 0x73, 0x1A)} <= set(map(tuple, curves))

    refused(zoo, "already holds reconstructions.png", "--models=three,six", "--out=out")
    assert run(zoo, "--models=three", "--out=out", "--overwrite").returncode == 0


def test_models_of_as_many_bits_draw_the_same_words(zoo):
    done = run(zoo, "--models=three,twin,unrecorded", "--out=twins", "--columns=8", "--sample_rows=1")
    assert done.returncode == 0 and "twins/learning_curves.png" in done.stdout
    for model in ("twin", "unrecorded"):  # drawn all the same
        assert f"no learning curve of {model}" in done.stderr
    three, twin, third = rows(zoo / "twins" / "samples.png", 3, 8)
    assert (three == twin).all() and (three == third).all() and three.std() > 50


def test_curves_of_before_are_not_left_behind(zoo):
    (zoo / "old").mkdir()
    (zoo / "old" / "learning_curves.png").write_text("")
    done = run(zoo, "--models=unrecorded", "--out=old", "--overwrite")
    assert done.returncode == 0 and done.stdout.split() == [
        "old/reconstructions.png",
        "old/words.png",
        "old/samples.png",
    ]
    assert not (zoo / "old" / "learning_curves.png").exists()


def test_bounds_of_different_objectives_share_a_panel(tmp_path, monkeypatch, capsys):
    drawn = {}
    monkeypatch.setattr(pictures, "compared_curves", lambda histories, path: drawn.update(histories))
    histories = {"a": {"epoch": [1], "val_elbo": [-3.0]}, "b": {"epoch": [1], "val_elbo": [-4.0], "val_iwae": [-2.0]}}
    compare._draw_curves(histories, tmp_path / "curves.png")
    assert drawn["a"]["val_bound"] == [-3.0] and drawn["b"]["val_bound"] == [-2.0] and drawn["b"]["val_elbo"] == [-4.0]
    drawn.clear()
    compare._draw_curves(histories | {"c": {"epoch": [1], "val_kl": [3.0]}}, tmp_path / "curves.png")
    assert drawn.keys() == {"a", "b"}
    assert "no learning curve of c: no history.json with a bound" in capsys.readouterr().err
    drawn.clear()
    compare._draw_curves({"a": histories["a"]}, tmp_path / "curves.png")
    assert drawn == {"a": histories["a"]}


@pytest.mark.parametrize("text", ["[1", "[1]", "{}", '{"epoch": 3}', '{"epoch": [1], "elbo": [1, 2]}', '["a"]'])
def test_a_damaged_history_is_refused(zoo, text):
    (zoo / "other" / "history.json").write_text(text)
    refused(zoo, "history.json is damaged", "--models=other", "--out=new")


def test_what_is_refused(zoo):
    refused(zoo, "expected different models", "--models=three,three", "--out=new")
    refused(zoo, "expected different models", "--models=", "--out=new")
    refused(zoo, "did you mean 'three'?", "--models=tree", "--out=new")
    refused(zoo, "three of", "--models=three,other", "--out=new")
    refused(zoo, "expected Coded-DVAEs", "--models=three,bwlc_bec", "--out=new")
    refused(zoo, "planned", "--models=three,planned", "--out=new")
    refused(zoo, "runs/none holds no training", "--models=three,runs/none", "--out=new")
    assert not (zoo / "new").exists()
