"""The command line of the classifier; what it trains is tested in tests/networks/test_classifier.py."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--out"),
        (["--out=full"], "full is not empty; give another --out or --overwrite"),
        (["--out=full/file"], "full/file is a file; expected a folder"),
        (["--out=x", "--dataset=celeba"], "cifar10|fashion_mnist|mnist"),
        (["--out=x", "--epochs=0"], "epochs"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    result = subprocess.run(
        [sys.executable, "-m", "tfcoded.train_classifier", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ") and message in result.stderr
    assert (tmp_path / "full" / "file").exists()
