"""Data sets as arrays of uint8 images, and the pipelines that feed a training."""

from tfcoded.config.datasets import NAMES
from tfcoded.data.dataset import DataError, Dataset, check_count, check_images, first_images
from tfcoded.data.loading import digest, load, require_known
from tfcoded.data.pipelines import seed_pair, steps_per_epoch, test_pipeline, training_pipeline

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "check_count",
    "check_images",
    "digest",
    "first_images",
    "load",
    "require_known",
    "seed_pair",
    "steps_per_epoch",
    "test_pipeline",
    "training_pipeline",
]
