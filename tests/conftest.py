"""Fixtures of several test files; its place also makes the helpers beside it importable from every test."""

import fcntl
import os
import signal

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as of what a shell runs in the background; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fashion_dir(tmp_path_factory):
    """A folder of tensorflow-datasets in which Fashion-MNIST was prepared from the embedded archives."""
    from tfcoded import data

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # once for all processes that share the tests
        folder = folder.parent
    folder = folder / "tfds"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        data.load("fashion_mnist", folder)
    return folder


@pytest.fixture(scope="session")
def fashion(fashion_dir):
    """Fashion-MNIST, whole."""
    from tfcoded import data

    return data.load("fashion_mnist", fashion_dir)
