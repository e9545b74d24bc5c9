"""Fixtures of several test files; its place also makes the helpers beside it importable from every test."""

import pytest


@pytest.fixture(scope="session")
def fashion_dir(tmp_path_factory):
    """A folder of tensorflow-datasets in which Fashion-MNIST was prepared from the embedded archives."""
    from tfcoded import data

    folder = tmp_path_factory.mktemp("tfds")
    data.load("fashion_mnist", folder)
    return folder


@pytest.fixture(scope="session")
def fashion(fashion_dir):
    """Fashion-MNIST, whole."""
    from tfcoded import data

    return data.load("fashion_mnist", fashion_dir)
