"""Models exported once for all tests of this folder."""

import pytest
import small_models
import small_systems
import tensorflow as tf

from tfcoded.codec.communication import SystemModule
from tfcoded.zoo.saving import export_saved_model


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """name -> (settings, model, folder), for every code."""
    folder = tmp_path_factory.mktemp("exported")
    cases = {}
    for name in small_models.CODES:
        settings = small_models.configuration(name)
        with small_models.networks(name):
            model = small_models.build(settings, contrast=True)
            cases[name] = settings, model, export_saved_model(model, settings, folder / name)
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
