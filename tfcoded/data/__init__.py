"""Data sets as arrays of uint8 images, and the pipelines that feed a training.

TensorFlow is imported by what loads images, not by the registry of names.
"""

import lazy_loader

from tfcoded.data import sets as _sets  # noqa: F401  # registers the data sets
from tfcoded.data.registry import DATASETS, DataSet, register

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["DataError", "Dataset", "check_count", "check_images", "first_images"],
        "loading": ["digest", "load", "require_known"],
        "pipelines": ["seed_pair", "steps_per_epoch", "test_pipeline", "training_pipeline"],
    },
)
__all__ += ["DATASETS", "DataSet", "register"]
