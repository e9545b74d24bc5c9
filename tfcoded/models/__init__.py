"""Models: codes, channels, networks and objectives put together, with their training steps."""

from tfcoded.utils import keras_settings

keras_settings.require()  # one line, not an error from the depths of Keras

from tfcoded.models.adam_l2 import AdamL2, optimizer
from tfcoded.models.binary_joint_model import BinaryJointModel
from tfcoded.models.building import build
from tfcoded.models.channel_autoencoder import ChannelAutoencoder
from tfcoded.models.coded_dvae import CodedDVAE
from tfcoded.models.joint_model import JointModel
from tfcoded.models.posteriors import BitPosterior, WordPosterior
from tfcoded.models.separate_system import SeparateSystem
from tfcoded.models.source_vae import SourceVAE
from tfcoded.models.stochastic_model import StochasticModel
from tfcoded.models.system import System
from tfcoded.objectives import Elbo, ImportanceWeighted, LeaveOneOut

__all__ = [
    "AdamL2",
    "BinaryJointModel",
    "BitPosterior",
    "ChannelAutoencoder",
    "CodedDVAE",
    "Elbo",
    "ImportanceWeighted",
    "JointModel",
    "LeaveOneOut",
    "SeparateSystem",
    "SourceVAE",
    "StochasticModel",
    "System",
    "WordPosterior",
    "build",
    "optimizer",
]
