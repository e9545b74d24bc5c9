"""What all commands share, seen through python -m tfcoded.zoo, which is quick."""

import os
import pathlib
import subprocess
import sys

import commands
import pytest
import tensorflow as tf

from tfcoded.utils import errors

ROOT = pathlib.Path(__file__).resolve().parents[2]


def zoo(*arguments):
    command = [sys.executable, "-m", "tfcoded.zoo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_unknown_flag():
    done = zoo("--zoodir=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Unknown command line flag 'zoodir'") and done.stderr.count("\n") == 1


def test_a_number_that_no_integer_of_tensorflow_holds():
    for name, flag in (("evaluate", "--runs"), ("evaluate", "--table"), ("train", "--train_images")):
        command = [sys.executable, "-m", f"tfcoded.{name}", f"{flag}=4294967296"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        expected = f"error: {flag}=4294967296: expected less than 4294967296; --help lists the flags\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_two_flags_that_are_missing():
    command = [sys.executable, "-m", "tfcoded.compare"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr == "error: --models is missing; --out is missing; --help lists the flags\n"


@pytest.mark.parametrize("flag", ["--help", "--helpfull"])
def test_who_asks_for_help_made_no_mistake(flag):
    done = zoo(flag)
    assert (done.returncode, done.stderr) == (0, "") and "--zoo_dir" in done.stdout


def test_too_many_arguments():
    done = zoo("coded_8_80", "coded_8_160")
    assert done.returncode == 2
    assert (
        done.stderr == "error: unexpected argument 'coded_8_160'; expected one name, or verify and names, see --help\n"
    )
    command = [sys.executable, "-m", "export.ship", "runs/mine"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: unexpected argument 'runs/mine'; options start with --, see --help\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["", "--help", "coded_8_240"])
def test_a_reader_that_has_seen_enough(arguments, unbuffered):
    # The status of the first command of the pipe is printed by the shell in its place.
    command = f'{{ "{sys.executable}" -m tfcoded.zoo {arguments}; echo $? >&2; }} | true'
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == "141\n"


@pytest.mark.parametrize(
    "raised", ["MemoryError('no room')", "tf.errors.ResourceExhaustedError(None, None, 'no room\\nat all')"]
)
def test_no_traceback_when_memory_runs_out(raised):
    program = f"import tensorflow as tf\nfrom tfcoded import cli\ndef main(): raise {raised}\ncli.run(main)"
    done = commands.run_code(program)
    assert done.returncode == 2
    expected = "error: not enough memory for so many images, samples or words at a time (no room)"
    assert done.stderr.splitlines()[-1] == expected and "Traceback" not in done.stderr


def test_no_traceback_when_another_worker_ends():
    text = "{{function_node __wrapped__CollectiveBcastRecv}} Collective ops is aborted by: reset by peer\\nMore [Op:CollectiveBcastRecv]"
    raised = f"tf.errors.UnavailableError(None, None, '{text}')"
    program = f"import tensorflow as tf\nfrom tfcoded import cli\ndef main(): raise {raised}\ncli.run(main)"
    done = commands.run_code(program)
    expected = "another process of the cluster has ended (Collective ops is aborted by: reset by peer); start all again"
    assert done.returncode == 2 and done.stderr.startswith(f"error: {expected}") and done.stderr.count("\n") == 1


def test_what_tensorflow_says_of_its_errors():
    assert errors.said(OSError(28, "No space left on device", "a.json")) == "No space left on device: a.json"
    assert errors.said(IndexError()) == "IndexError"
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.io.decode_image(b"nothing")
    assert "{{" in str(caught.value) and errors.said(caught.value).startswith("Unknown image file format")

    @tf.function
    def checked(x):
        tf.debugging.assert_less(x, 3.0, "x is too large")
        return x

    for function in (checked, checked.python_function):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            function(tf.constant(4.0))
        assert "x is too large" in errors.said(caught.value) and "{{" not in errors.said(caught.value)


def test_help_shows_the_flags_that_commands_share():
    shared = {"tfcoded.evaluate": "--workdir", "export.training_program": "--train_images", "tfcoded.train": "--config"}
    for module, flag in shared.items():
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert f"  {flag}: " in done.stdout
