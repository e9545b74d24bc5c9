"""Sections that stand for a Keras layer of a higher room."""

import importlib
from typing import ClassVar

from tfcoded.utils.kinds import KindOfSection


class LayerSection(KindOfSection):
    """Base of sections of which every kind has a layer.

    Attributes:
      makes: the layer's class, or "module:class" where a configuration should not import TensorFlow.
    """

    makes: ClassVar[type | str]

    def layer_class(self):
        """The layer's class, imported if `makes` names it."""
        if not isinstance(self.makes, str):
            return self.makes
        module, _, name = self.makes.partition(":")
        return getattr(importlib.import_module(module), name)
