"""python -m export.storages: which storage passes, and the command line on a tiny training."""

import json
import re

import numpy as np
import pytest
import shipped

from export import storages
from tfcoded.zoo import sources


def rows(*changes):
    """Samples of three storages; the second and third differ from the first by a constant."""
    rng = np.random.default_rng(0)
    exact = {"psnr": rng.normal(15, 1, 8), "entropy": rng.normal(4, 1, 100), "later": np.zeros(3)}
    found = [("float32", 100, exact)]
    for size, change in enumerate(changes, start=10):
        found.append((f"s{size}", size, {name: values + change for name, values in exact.items()}))
    return found


def test_differences_are_paired():
    content = storages.compare(rows(-0.5))
    assert list(content["float32"]) == ["psnr", "entropy"]
    base = content["float32"]["entropy"]
    assert base["standard_error"] == pytest.approx(rows()[0][2]["entropy"].std(ddof=1) / 10)
    assert base["standard_error_of_the_zoo"] == pytest.approx(base["standard_error"] / 10)  # 10,000 images, not 100
    change = content["storages"]["s10"]["changes"]["entropy"]
    assert change["value"] == pytest.approx(-0.5) and change["standard_error"] < 1e-12
    assert content["storages"]["float32"]["changes"]["psnr"]["value"] == 0.0


def test_the_smallest_that_passes_is_chosen():
    limit = storages.compare(rows())["float32"]["entropy"]["standard_error_of_the_zoo"]
    assert storages.compare(rows(1.1 * limit, -0.9 * limit, 0.0))["chosen"] == "s11"
    assert storages.compare(rows(-1.1 * limit))["chosen"] == "float32"


def test_table():
    text = storages.table(storages.compare(rows(0.5)))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[:-2]]
    assert {len(line) for line in lines} == {5}
    assert lines[0][:4] == ["storage", "MB", "psnr", "entropy"] and lines[4][0] == "s10"
    assert lines[4][3].startswith("+0.5") and lines[4][4] == "-"
    assert text.endswith("The smallest that passes: float32.\n")


# The images are read after the model; the training has gone on by then, to a third epoch.
_ANOTHER_CHECKPOINT = """
import pathlib, shutil
from tfcoded import data
load = data.load

def late(*arguments):
    folder = pathlib.Path({folder!r})
    for file in [*folder.glob("epoch-2.*")]:
        shutil.copy(file, folder / file.name.replace("epoch-2", "epoch-3"))
    state = folder / "checkpoint"
    state.write_text(state.read_text().replace("epoch-2", "epoch-3"))
    return load(*arguments)

data.load = late
"""


def test_command_line(tmp_path):
    _, workdir = shipped.training(tmp_path)
    later = _ANOTHER_CHECKPOINT.format(folder=str(workdir / "checkpoints"))
    out = tmp_path / "storages.json"
    small = ("--storages=int4,compensated", "--images=20", "--runs=2", "--words=30", "--likelihood_images=5")
    done = shipped.run_tiny("export.storages", f"--workdir={workdir}", f"--out={out}", *small, prepare=later)
    assert done.returncode == 0, done.stderr[-3000:]
    assert sources.checkpoint_epochs(workdir) == 3
    content = json.loads(out.read_text())
    assert list(content["storages"]) == ["float32", "int4", "compensated"] and content["epochs"] == 2
    exact, rounded, compensated = content["storages"].values()
    assert exact["bytes"] > compensated["bytes"]
    assert 0 < abs(compensated["changes"]["elbo"]["value"]) < abs(rounded["changes"]["elbo"]["value"])
    assert exact["bytes"] > rounded["bytes"]
    assert exact["changes"]["elbo"] == {"value": 0.0, "standard_error": 0.0}
    assert 0 < rounded["changes"]["elbo"]["standard_error"] < content["float32"]["elbo"]["standard_error"]
    assert "log_likelihood_hard" in content["float32"] and "accuracy" not in content["float32"]
    assert re.match(r"\| storage +\| +MB \| +psnr \|", done.stdout)
    exported = shipped.run_tiny("export", f"--workdir={workdir}", f"--out={tmp_path / 'out'}", "--storage=compensated")
    assert exported.returncode == 0 and ", compensated" in exported.stdout, exported.stderr[-3000:]
    again = shipped.run("export.storages", f"--workdir={workdir}", f"--out={out}")
    assert again.returncode == 2 and "storages.json exists" in again.stderr
    wrong = shipped.run("export.storages", f"--workdir={workdir}", "--storages=int3")
    assert wrong.returncode == 2 and "unknown int3; choose from float32, bfloat16" in wrong.stderr
