"""Models: codes, networks and objectives put together, with their training steps."""

from tfcoded.models.coded_dvae import CodedDVAE
from tfcoded.models.optimizer import AdamL2

__all__ = ["AdamL2", "CodedDVAE"]
