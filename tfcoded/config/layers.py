"""Sections that stand for a Keras layer of a higher room."""

import importlib
from typing import ClassVar

from tfcoded.utils.kinds import KindOfSection


class LayerSection(KindOfSection):
    """Base of sections of which every kind has a layer.

    Attributes:
      layer: "module:class" of the layer. It is imported when it is built: a configuration needs no TensorFlow.
    """

    layer: ClassVar[str]

    def layer_class(self):
        """The class that `layer` names."""
        module, _, name = self.layer.partition(":")
        return getattr(importlib.import_module(module), name)
