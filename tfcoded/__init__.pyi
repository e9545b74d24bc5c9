"""The names of the package. `tfcoded/__init__.py` reads them from here; so do type checkers and editors."""

from . import (
    channels as channels,
    codes as codes,
    config as config,
    data as data,
    distributions as distributions,
    metrics as metrics,
    models as models,
    networks as networks,
    objectives as objectives,
    pictures as pictures,
    zoo as zoo,
)
from .models.coded_dvae import CodedDVAE as CodedDVAE
from .zoo.loaded_model import load as load
from .zoo.store import list_models as list_models

__version__: str
