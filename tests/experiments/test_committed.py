"""The tables in `experiments/` are what the measured cells beside them give, by the command that each table names."""

import os
import pathlib
import re
import shlex
import shutil

import commands
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = sorted(path for path in (ROOT / "experiments").glob("*/*/table.md") if path.parent.name != "bwlc_fig7")


def test_every_figure_is_there():
    present = {path.parent.name for path in (ROOT / "experiments").glob("*/*/table.md")}
    assert present == {f"bwlc_fig{number}" for number in (4, 5, 6, 7, 8)}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_table_follows_from_its_cells(path, tmp_path):
    (command,) = re.findall(r"^Made by `python -m tfcoded\.experiments (.*)`\.$", path.read_text(), re.MULTILINE)
    shutil.copytree(path.parent.parent / "cells", tmp_path / "cells")
    arguments = [part for part in shlex.split(command) if not part.startswith(("bwlc_", "--out"))]
    # Whoever has the FID network's weights gets the same tables.
    (tmp_path / "inception.npz").write_bytes(b"")
    environment = {**os.environ, "TFCODED_INCEPTION": str(tmp_path / "inception.npz")}
    done = commands.run(
        "tfcoded.experiments", path.parent.name, *arguments, "--notrain", f"--out={tmp_path}", env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made = tmp_path / path.parent.name
    for name in ("table.csv", "claims.md"):
        assert (made / name).read_text() == (path.parent / name).read_text(), name
    assert (made / "figure.png").stat().st_size > 10_000
