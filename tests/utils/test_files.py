"""Temporary files and folders: none is left, none of a living process is removed."""

import os
import signal
import subprocess
import sys

import pytest

from tfcoded.utils.errors import UserError
from tfcoded.utils.files import lock, temporary_folder, write_atomically

WAITING = """
import signal, sys
from tfcoded.utils.files import temporary_folder
with temporary_folder(sys.argv[1], ".making-") as folder:
    (folder / "new").mkdir()
    print(folder, flush=True)
    signal.pause()
"""


def test_temporary_folders_of_killed_processes_are_removed(tmp_path):
    command = [sys.executable, "-c", WAITING, str(tmp_path / "out")]
    first, second = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        theirs = {process.stdout.readline().strip() for process in (first, second)}
        (tmp_path / "out" / ".making-without_lock").mkdir()
        (tmp_path / "out" / "making-1").mkdir()
        with temporary_folder(tmp_path / "out", ".making-") as folder:
            found = {str(path) for path in (tmp_path / "out").glob(".making-*")}
            assert found == {*theirs, str(folder)} and len(theirs) == 2
        first.kill()
        first.wait()
        with temporary_folder(tmp_path / "out", ".making-"):
            pass
        left = {path.name for path in (tmp_path / "out").iterdir()}
        assert len(left) == 2 and "making-1" in left
        second.send_signal(signal.SIGINT)
        second.wait()
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"making-1"}
    finally:
        first.kill()
        second.kill()


def test_a_temporary_folder_that_was_taken_for_a_left_one(tmp_path, monkeypatch):
    """Another process may see a new folder before it is locked."""
    taken = []

    def overtaken(folder):
        if len(taken) < 2:
            taken.append(folder)
            held = lock(folder)
            if len(taken) == 1:  # removed already, else only locked
                (folder / ".lock").unlink()
                folder.rmdir()
            kept.append(held)
        return lock(folder)

    kept = []
    monkeypatch.setattr("tfcoded.utils.files.lock", overtaken)
    with temporary_folder(tmp_path, ".making-") as folder:
        assert folder.is_dir() and folder not in taken
        with pytest.raises(UserError):
            lock(folder)


def test_files_of_killed_writers_are_removed_once_nobody_writes_them(tmp_path):
    for name in (".a[1].json.writing-old", ".a[1].json.writing-new", ".a1.json.writing-old", ".a[1].json.original"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, None if name.endswith("new") else (0, 0))
    write_atomically(tmp_path / "a[1].json", "whole")
    kept = {".a[1].json.writing-new", ".a1.json.writing-old", ".a[1].json.original", "a[1].json"}
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert (tmp_path / "a[1].json").read_text() == "whole"
