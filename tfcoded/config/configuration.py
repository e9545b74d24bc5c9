"""What every complete configuration offers."""

import re
from typing import ClassVar

from tfcoded.data import registry
from tfcoded.utils.sections import ConfigError, Section, show, types_of


class Configuration(Section):
    """A complete configuration: settings, and facts about the model that they describe.

    A subclass names its facts in `FACTS` and offers `facts_after`.
    """

    FACTS: ClassVar[tuple[str, ...]] = ()  # record what is known about the model; not settings, so not to be overridden

    @property
    def item_shape(self):
        """Shape of one item of the data set, a tuple of `int`: (height, width, channels)."""
        return self.network.image_shape

    @property
    def parts(self):
        """Configurations of what is trained in place of the model itself, by the folder; a `dict`, mostly empty."""
        return {}

    def facts_after(self, changed):
        """dict of those facts that remain true of `changed`, this configuration with other settings."""
        raise NotImplementedError

    def without_published(self):
        """A copy without what papers report of it, which is of a training from scratch with these very settings."""
        return self.without_facts().replace(parameters=self.parameters)

    def without_facts(self, **changes):
        """A copy with these settings changed and all facts empty."""
        blank = {fact: types_of(type(self))[fact]() for fact in self.FACTS}
        return self.replace(**changes, **blank)

    def _check_name(self):
        well_named = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name)
        self._require(well_named, "name", "letters, digits, '_', '-' and '.', the first a letter or digit")
        self._require(self.dataset.strip(), "dataset", "a data set's name or a path")

    def _check_image_shape(self):
        """Refuses images of another shape than those of a data set that is known by name."""
        shape = registry.shape_of(self.dataset) or self.network.image_shape
        if shape != self.network.image_shape:
            raise ConfigError(
                f"network.image_shape is {show(self.network.image_shape)}; expected {show(shape)}, "
                f"the shape of {self.dataset} images"
            )
