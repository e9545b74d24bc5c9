"""Signals and streams of a command: an end within two seconds and the right status, whatever it is doing."""

import os
import pathlib
import subprocess
import sys
import time

import commands
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUS = {"SIGINT": 130, "SIGTERM": 143}

PROGRAM = """
import ctypes, os, signal, sys, threading, time
from tfcoded import cli
from tfcoded.utils import process, progress

def kill():
    os.kill(os.getpid(), signal.{signal})

def main():
    print("begun")
{body}

cli.run(main)
"""


def run(body, name="SIGINT", **options):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    start = time.monotonic()
    done = commands.run_code(PROGRAM.format(signal=name, body=lines), **options)
    return done, time.monotonic() - start


@pytest.mark.parametrize("name", STATUS)
def test_a_signal_unwinds_what_was_begun(name):
    done, _ = run('try:\n    kill()\n    time.sleep(9)\nfinally:\n    print("tidied")', name)
    assert (done.returncode, done.stdout, done.stderr) == (STATUS[name], "begun\ntidied\n", "")


def test_the_second_of_two_signals_does_not_disturb_the_first():
    done, _ = run('try:\n    kill()\n    time.sleep(9)\nfinally:\n    kill()\n    print("tidied")')
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\ntidied\n", "")


LOST = "try:\n    kill()\n    time.sleep(9)\nexcept BaseException:\n    pass\n"


@pytest.mark.parametrize(
    "body",
    [
        LOST + 'for _ in progress.progress(range(99), "steps", 99):\n    time.sleep(0.1)',  # seen at the next step
        LOST,  # or at the end
        LOST + 'raise RuntimeError("cut off")',
        "class Lost:\n    def __del__(self):\n        kill()\n        time.sleep(9)\nLost()",
    ],
)
def test_a_signal_that_is_lost_in_a_library(body):
    done, seconds = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\n", "") and seconds < 5


@pytest.mark.parametrize("name", STATUS)
def test_a_signal_during_code_that_does_not_return_to_python(name):
    # A lock that is taken twice: as a collective operation without its other workers, it ends for no signal.
    body = """lock = ctypes.create_string_buffer(64)
libc = ctypes.CDLL(None)
libc.pthread_mutex_lock(lock)
threading.Timer(0.2, kill).start()
libc.pthread_mutex_lock(lock)"""
    done, seconds = run(body, name)
    assert (done.returncode, done.stderr) == (STATUS[name], "\ninterrupted\n") and seconds < 3.5


def test_a_signal_that_the_caller_ignores_stays_ignored():
    done, _ = run('kill()\nprint("done")', prepare="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert (done.returncode, done.stdout) == (0, "begun\ndone\n")


@pytest.mark.parametrize("name", STATUS)
@pytest.mark.parametrize("module", ["tfcoded.train", "tfcoded.zoo", "export.ship"])
def test_a_signal_while_modules_are_imported(tmp_path, module, name):
    """The first import of a package from outside stands for a moment of the first tenth of a second."""
    caught = f"try:\n    os.kill(os.getpid(), signal.{name})\nexcept BaseException:\n    pass\n"
    (tmp_path / "absl.py").write_text(f"import os, signal\n{caught}raise SystemExit('went on')\n")
    done = python("-m", module, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (STATUS[name], "", "")


def test_an_import_of_the_package_changes_no_handler():
    code = "import signal, tfcoded.cli, export; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert python("-c", code).stdout == "True\n"


def python(*arguments, **environment):
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def shell(command, **environment):
    command = command.replace("python", f"'{sys.executable}'")
    return subprocess.run(
        command, shell=True, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command, status, errors",
    [
        ("python -m tfcoded.zoo >&-", 0, ""),
        ("python -m tfcoded.zoo --help >&- 2>&-", 0, ""),
        ("python -m tfcoded.zoo --wrong 2>&-", 2, ""),
        ("python -m tfcoded.zoo --help <&- >/dev/full", 2, "error: No space left on device: standard output\n"),
    ],
)
def test_an_output_that_is_closed_or_full(command, status, errors):
    done = shell(command)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", errors)


def test_a_closed_output_is_not_the_next_file(tmp_path):
    """What is printed must not get into the first file that is opened."""
    body = f"with open({str(tmp_path / 'file')!r}, 'w') as file:\n    os.write(1, b'x')\n    os.write(2, b'x')"
    done, _ = run(body, prepare="import os, sys; os.close(1); os.close(2); sys.stdout = sys.stderr = None")
    assert done.returncode == 0 and (tmp_path / "file").read_text() == ""


def test_the_reader_of_output_and_errors_has_seen_enough():
    done = shell("{ python -m tfcoded.zoo --wrong 2>&1; echo $? >&3; } 3>&2 | true")
    assert done.stderr == "141\n"


def test_a_terminal_that_knows_ascii_only():
    done = shell("python -m tfcoded.evaluate --table=9", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and done.stderr == ""
    assert "measured by this repository, +- one standard error" in done.stdout and "0.791" in done.stdout


def test_a_file_of_the_name_export_hides_nothing_that_is_needed(tmp_path):
    """`export` is a package of its own beside `tfcoded`; python -m looks into the current folder first."""
    (tmp_path / "export.py").write_text("print('mine')")
    done = subprocess.run(
        [sys.executable, "-m", "tfcoded.train", "--model=coded_8_241"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "") and "did you mean 'coded_8_240'" in done.stderr
    prepare = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    done, _ = run("from tfcoded.zoo.restoring import load_workdir; print(load_workdir.__name__)", prepare=prepare)
    assert (done.returncode, done.stdout) == (0, "begun\nload_workdir\n")
