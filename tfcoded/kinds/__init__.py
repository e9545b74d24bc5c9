"""The kinds of models that commands handle: what differs between them, told apart here and nowhere else.

```python
kind = kinds.of(config)
measured, facts, notes, bins = kind.measure(codec, config, dataset, classifier, plan)
```

TensorFlow is imported by the methods that compute only.
"""

from tfcoded.errors import UserError
from tfcoded.kinds.coded_dvae import CodedDVAEKind
from tfcoded.kinds.communication_system import CommunicationSystemKind
from tfcoded.kinds.kind import Kind
from tfcoded.system_config import SystemConfig

__all__ = ["KINDS", "Kind", "METRICS", "of", "refuse_flags"]

KINDS = (CodedDVAEKind(), CommunicationSystemKind())
METRICS = tuple(name for kind in KINDS for name in kind.metrics)  # of any kind, for --metrics


def of(config):
    """The `Kind` of the model that a configuration describes.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.system_config.SystemConfig`.
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
