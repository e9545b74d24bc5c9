"""The rooms of the package, and which may import which: `pyproject.toml`, `tool.importlinter`."""

import pathlib

from importlinter.cli import lint_imports

ROOT = pathlib.Path(__file__).resolve().parents[1]

UPWARDS = """
[importlinter]
root_package = tfcoded

[importlinter:contract:layers]
name = The wrong way round
type = layers
layers =
    tfcoded.utils
    tfcoded.config
"""


def test_imports_run_one_way(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0


def test_an_import_upwards_is_found(monkeypatch, tmp_path):
    (tmp_path / ".importlinter").write_text(UPWARDS)
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filenames=(str(tmp_path / ".importlinter"),), no_cache=True, no_logo=True) == 1
