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
