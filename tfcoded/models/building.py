"""Models out of configurations."""

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
        cls = CodedDVAE
    elif kind == "joint":
        cls = BinaryJointModel if config.channel.bits else JointModel
    else:
        cls = _SYSTEMS[kind]
    return cls.from_configuration(config, seed, total_steps)
