"""The families of models that commands handle: what differs between them, told apart here and nowhere else.

```python
family = families.of(config)
family.signatures(config)
```

TensorFlow is imported by the methods that compute only.
"""

from tfcoded.config.communication import SystemConfig
from tfcoded.families.coded_dvae import CodedDVAEFamily
from tfcoded.families.communication import CommunicationFamily
from tfcoded.families.family import Family
from tfcoded.storage import STORAGES
from tfcoded.utils.errors import UserError

__all__ = ["FAMILIES", "Family", "of", "refuse_flags", "require_storage", "storages_of"]

FAMILIES = (CodedDVAEFamily(), CommunicationFamily())


def of(config):
    """The `Family` of the model that a configuration describes.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
    """
    coded_dvae, communication_system = FAMILIES
    return communication_system if isinstance(config, SystemConfig) else coded_dvae


def refuse_flags(config, flags):
    """Refuses flags that were given and mean something for another kind of model only.

    Args:
      config: the configuration of the model.
      flags: absl's parsed flags.

    Raises:
      UserError: naming the first such flag.
    """
    mine = of(config)
    for kind in FAMILIES:
        for name in kind.flags:
            if name not in mine.flags and name in flags and flags[name].present:
                raise UserError(f"--{name} is for {kind.noun}; {config.name} is {mine.noun}")


def storages_of(config):
    """The storages that a model can be exported in, a tuple of `str`.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig` of the model.
    """
    return tuple(name for name in STORAGES if name != "compensated" or of(config).compensated)


def require_storage(storage, config):
    """Refuses a storage that a model cannot be exported in.

    Raises:
      UserError: naming those that it can.
    """
    possible = storages_of(config)
    if storage not in possible:
        raise UserError(f"storage {storage!r} is not for {config.name}; choose one of {', '.join(possible)}")
