"""The kinds of models that commands handle: what differs between them, told apart here and nowhere else.

```python
kind = kinds.of(config)
measured, facts, notes, bins = kind.measure(codec, config, dataset, classifier, plan)
```

TensorFlow is imported by the methods that compute only.
"""

from tfcoded.utils.errors import UserError
from tfcoded.families.coded_dvae import CodedDVAEKind
from tfcoded.families.communication import CommunicationSystemKind
from tfcoded.families.family import Kind
from tfcoded.config.communication import SystemConfig

__all__ = ["KINDS", "Kind", "METRICS", "of", "refuse_flags"]

KINDS = (CodedDVAEKind(), CommunicationSystemKind())
METRICS = tuple(name for kind in KINDS for name in kind.metrics)  # of any kind, for --metrics


def of(config):
    """The `Kind` of the model that a configuration describes.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.
    """
    coded_dvae, communication_system = KINDS
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
    for kind in KINDS:
        for name in kind.flags:
            if kind is not mine and name in flags and flags[name].present:
                raise UserError(f"--{name} is for {kind.noun}; {config.name} is {mine.noun}")
