"""Models: codes, networks and objectives put together, with their training steps."""

from tfcoded.models.coded_dvae import CodedDVAE
from tfcoded.models.estimators import Elbo, ImportanceWeighted, LeaveOneOut
from tfcoded.models.optimizer import AdamL2
from tfcoded.models.posteriors import BitPosterior, WordPosterior

__all__ = ["AdamL2", "BitPosterior", "CodedDVAE", "Elbo", "ImportanceWeighted", "LeaveOneOut", "WordPosterior"]
