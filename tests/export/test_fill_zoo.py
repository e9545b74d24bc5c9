import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import commands
import numpy as np
import pytest

from export import zoo_queue
from tfcoded import zoo
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]

CONFIG = """
name: {name}
dataset: {dataset}
likelihood: bernoulli
beta: 15
code: {{kind: repetition, information_bits: 2, code_bits: 4}}
network: {{image_shape: [28, 28, 1], encoder_width: 4, decoder_width: 4}}
training: {{epochs: 9, batch_size: 32}}
"""

# Stands for Python: trains one epoch in no time, and fails, is slow or is interrupted as the entry's name says.
PYTHON = """#!{python}
import json, pathlib, sys, time
flags = dict(argument[2:].split("=", 1) for argument in sys.argv[3:] if "=" in argument)
workdir = pathlib.Path(flags["workdir"])
with open(workdir.parent / "calls", "a") as calls:
    print(sys.argv[2], workdir.name, file=calls)
if "slow" in workdir.name:
    time.sleep(60)
if "broken" in workdir.name:
    sys.exit(2)
if sys.argv[2] == "tfcoded.train":
    epochs = list(range(1, int(flags["epochs"]) + 1))
    (workdir / "history.json").write_text(json.dumps({{"epoch": epochs, "seconds": [3.0] * len(epochs)}}))
else:
    assert sys.argv[2] == "export.ship" and flags["storage"] == "int8", sys.argv
    version = pathlib.Path(flags["zoo_dir"], workdir.name, "1")
    version.mkdir()
    (version / "saved_model.pb").write_bytes(b"weights")
"""


@pytest.fixture
def house(tmp_path):
    """A zoo of these entries and their list, a folder for the runs, and a stand-in for Python."""

    def make(*names, dataset="mnist"):
        for name in names:
            (tmp_path / "zoo" / name).mkdir(parents=True)
            (tmp_path / "zoo" / name / "config.yaml").write_text(
                CONFIG.format(name=name, dataset=dataset.format(folder=tmp_path))
            )
        (tmp_path / "zoo" / "queue.yaml").write_text("".join(f"- {name}: 2\n" for name in names))
        python = tmp_path / "python"
        python.write_text(PYTHON.format(python=sys.executable))
        python.chmod(0o755)
        return tmp_path

    return make


def fill(folder, *arguments):
    """Runs the command with the stand-in for Python; returns the process and the calls that it made."""
    done = commands.run(
        "export.fill_zoo",
        "--zoo_dir=zoo",
        "--storage=int8",
        *arguments,
        cwd=folder,
        prepare=f"import sys; sys.executable = {str(folder / 'python')!r}",
    )
    calls = folder / "runs" / "calls"
    return done, calls.read_text().splitlines() if calls.exists() else []


def test_the_zoos_list_names_entries_without_weights_that_can_be_trained():
    jobs = zoo_queue.read(ROOT / "zoo" / zoo_queue.FILE)
    assert len(jobs) >= 38
    for job in jobs:
        config = zoo.config(job.name)
        assert 10 <= job.epochs <= config.training.epochs
        assert config.dataset in ("mnist", "fashion_mnist", "cifar10")


@pytest.mark.parametrize(
    "text, message",
    [
        ("[]", "expected lines such as"),
        ("coded_5_50: 3", "expected lines such as"),
        ("- coded_5_50", "item 1 is 'coded_5_50'"),
        ("- coded_5_50: 3\n- coded_5_80: 0", "item 2 is {'coded_5_80': 0}"),
        ("- coded_5_50: many", "expected one such as"),
        ("- coded_5_50: 3\n- coded_5_50: 4", "names coded_5_50 twice"),
        ("- coded_5_51: 3", "did you mean 'coded_5_50'"),
        ("- {", "not valid YAML"),
    ],
)
def test_mistakes_in_a_list(tmp_path, text, message):
    (tmp_path / "list.yaml").write_text(text)
    with pytest.raises(UserError, match=message.replace("{'", r"\{'")):
        zoo_queue.read(tmp_path / "list.yaml")
    with pytest.raises(UserError, match="cannot read the list"):
        zoo_queue.read(tmp_path / "absent.yaml")


def test_entries_are_trained_and_shipped_in_order(house):
    folder = house("tiny_a", "tiny_b", "tiny_c")
    done, calls = fill(folder)
    assert done.returncode == 0, done.stderr
    assert calls == [
        f"{what} {name}" for name in ("tiny_a", "tiny_b", "tiny_c") for what in ("tfcoded.train", "export.ship")
    ]
    assert "3 done, 0 running, 0 waiting" in done.stdout
    again, more = fill(folder)
    assert again.returncode == 0 and more == calls


def test_what_was_trained_is_only_shipped_and_what_fails_stops_no_other(house):
    folder = house("broken_a", "tiny_b", "tiny_c")
    trained = {"epoch": [1, 2, 3], "seconds": [7.0, 5.0, 6.0]}  # for longer than the list says
    (folder / "runs" / "tiny_b").mkdir(parents=True)
    (folder / "runs" / "tiny_b" / "history.json").write_text(json.dumps(trained))
    done, calls = fill(folder)
    assert calls == ["tfcoded.train broken_a", "export.ship tiny_b", "tfcoded.train tiny_c", "export.ship tiny_c"]
    assert done.returncode == 2 and "error: broken_a failed" in done.stderr
    assert "2 done, 0 running, 1 waiting" in done.stdout


def test_a_budget_stops_in_order(house):
    folder = house("slow_a", "tiny_b")
    before = time.monotonic()
    done, calls = fill(folder, f"--budget={2 / 3600}")
    assert time.monotonic() - before < 30
    assert done.returncode == 0 and "is used up" in done.stdout, done.stderr
    assert calls == ["tfcoded.train slow_a"]


def test_what_is_left(house):
    folder = house("tiny_a", "tiny_b", "tiny_c")
    (folder / "zoo" / "queue.yaml").write_text("- tiny_a: 9\n- tiny_b: 4\n- tiny_c: 3\n")
    history = {"epoch": [1, 2, 3], "seconds": [7.0, 60.0, 100.0]}
    (folder / "runs" / "tiny_b").mkdir(parents=True)
    (folder / "runs" / "tiny_b" / "history.json").write_text(json.dumps(history))
    (folder / "zoo" / "tiny_a" / "1").mkdir()
    (folder / "zoo" / "tiny_a" / "1" / "saved_model.pb").write_bytes(b"weights")
    claim = zoo_queue.claim(folder / "runs" / "tiny_c")
    done, calls = fill(folder, "--status")
    claim.close()
    assert done.returncode == 0 and calls == []
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["tiny_a", "done"]
    assert lines[1] == ["tiny_b", "waiting", "3", "of", "4", "epochs", "1:00", "left"]
    assert lines[2] == ["tiny_c", "running", "0", "of", "3", "epochs"]
    assert "1 done, 1 running, 1 waiting; 4:00 of training left" in done.stdout


def test_a_job_is_one_process_and_falls_with_it(tmp_path):
    claim = zoo_queue.claim(tmp_path / "job")
    with pytest.raises(BlockingIOError):
        zoo_queue.claim(tmp_path / "job")
    child = subprocess.Popen(["sleep", "60"], pass_fds=[claim.fileno()])
    claim.close()
    with pytest.raises(BlockingIOError):  # the child goes on with it
        zoo_queue.claim(tmp_path / "job")
    child.kill()
    child.wait()
    zoo_queue.claim(tmp_path / "job").close()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(house):
    random = np.random.default_rng(0)
    folder = house("tiny_a", dataset="{folder}/images.npz")
    images = {"train_images": (64, 28, 28, 1), "test_images": (32, 28, 28, 1)}
    np.savez(
        folder / "images.npz", **{name: random.integers(0, 256, shape, np.uint8) for name, shape in images.items()}
    )
    command = [sys.executable, "-m", "export.fill_zoo", "--zoo_dir=zoo"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for seconds in (3, 9, 14, 20):
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            for group in _groups(process.pid):
                os.killpg(group, signal.SIGKILL)
            process.wait()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 done, 0 running, 0 waiting" in done.stdout
    assert json.loads((folder / "zoo/tiny_a/metrics.json").read_text())["epochs"] == 2
    model = zoo.load("tiny_a", folder / "zoo")
    assert model.generate(3, [0, 1])["bits"].shape == (3, 2)


def _groups(pid):
    """The process groups of a process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {os.getpgid(each) for each in (pid, *map(int, children))}
