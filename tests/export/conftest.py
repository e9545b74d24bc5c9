"""Models exported once for all tests of this folder."""

import pytest
import small_models
import small_systems
import tensorflow as tf

from export import STORAGES
from export.module import CodedDVAEModule
from export.savedmodel import export_saved_model
from export.system_module import SystemModule


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """name -> (settings, model, folder), for every code."""
    folder = tmp_path_factory.mktemp("exported")
    cases = {}
    for name in small_models.CODES:
        settings = small_models.configuration(name)
        model = small_models.build(settings, contrast=True)
        cases[name] = settings, model, export_saved_model(model, settings, folder / name)
    return cases


@pytest.fixture(scope="session")
def compact(tmp_path_factory):
    """storage -> (module, folder), for one model with its initial weights."""
    folder = tmp_path_factory.mktemp("compact")
    settings = small_models.configuration("repetition")
    model = small_models.build(settings)
    images = small_models.images(settings, 64)
    cases = {}
    for storage in STORAGES:
        path = export_saved_model(model, settings, folder, storage, images)
        cases[storage] = CodedDVAEModule(model, settings, storage, images), path
    return cases


@pytest.fixture(scope="session")
def systems(tmp_path_factory):
    """name -> (settings, model, module, the same saved and loaded, folder), for two communication systems that have every kind of part."""
    folder = tmp_path_factory.mktemp("systems")
    cases = {}
    for name in ("bands", "separate"):
        settings = small_systems.configuration(name)
        model = small_systems.build(settings)
        saved = export_saved_model(model, settings, folder / name)
        cases[name] = settings, model, SystemModule(model, settings), tf.saved_model.load(str(saved)), saved
    return cases
