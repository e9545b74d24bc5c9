"""Models and their optimizers out of configurations."""

import keras

from tfcoded.models.adam_l2 import AdamL2
from tfcoded.models.binary_joint_model import BinaryJointModel
from tfcoded.models.channel_autoencoder import ChannelAutoencoder
from tfcoded.models.coded_dvae import CodedDVAE
from tfcoded.models.joint_model import JointModel
from tfcoded.models.separate_system import SeparateSystem
from tfcoded.models.source_vae import SourceVAE

_SYSTEMS = {"source_vae": SourceVAE, "channel_autoencoder": ChannelAutoencoder, "separate": SeparateSystem}


def build(config, seed=0, total_steps=None):
    """The model that a configuration describes, with its weights.

    ```python
    model = models.build(zoo.config("bwlc_joint_snr1"), seed=1)
    ```

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
      seed: `int`, of the initial weights and of all noise.
      total_steps: `int`, optimizer steps of the whole training, for what grows in the course of it; `None`: nothing
        does.

    Returns:
      `CodedDVAE`, or one of the systems: `SourceVAE`, `ChannelAutoencoder`, `SeparateSystem`, `JointModel`,
      `BinaryJointModel`.
    """
    kind = getattr(config, "system", None)
    if kind is None:
        return CodedDVAE.from_configuration(config, seed)
    if kind == "joint":
        cls = BinaryJointModel if config.channel.bits else JointModel
    else:
        cls = _SYSTEMS[kind]
    return cls.from_configuration(config, seed, total_steps)


def optimizer(config, total_steps=None):
    """The optimizer that a configuration describes.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
      total_steps: `int`, optimizer steps of the whole training, over which the learning rate of a system falls along a
        cosine; `None`: it does not fall.

    Returns:
      `AdamL2`.
    """
    training = config.training
    if not hasattr(config, "system"):
        return AdamL2(training.learning_rate, training.l2)
    rate = training.learning_rate
    if total_steps:
        rate = keras.optimizers.schedules.CosineDecay(rate, total_steps, training.final_learning_rate / rate)
    return AdamL2(rate, l2=0.0)
