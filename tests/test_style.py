"""The linter and the formatter: the settings of pyproject.toml."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def ruff(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache"], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_ruff_finds_nothing(arguments):
    done = ruff(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_wrong_is_found(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "wrong.py").write_text("import os\nx = {'a':1}\n")
    assert "F401" in ruff("check", cwd=tmp_path).stdout
    assert ruff("format", "--check", cwd=tmp_path).returncode == 1


def mypy(*arguments, folder):
    command = [sys.executable, "-m", "mypy", f"--cache-dir={folder / 'cache'}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_types(tmp_path):
    """Those of the modules that pyproject.toml names; and wrong calls of what they offer are found."""
    done = mypy(folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "wrong.py").write_text("import tfcoded\n\ntfcoded.list_models(3)\ntfcoded.load(5)\ntfcoded.nothing\n")
    found = mypy(str(tmp_path / "wrong.py"), folder=tmp_path).stdout
    assert all(f"wrong.py:{line}: error" in found for line in (3, 4, 5)), found
