"""Configurations of communication systems: what sends images over which channel, and how it is trained.

They are read, written and changed by `tfcoded.config`, as those of the other models:

```python
from tfcoded import config

settings = config.from_dict({
    "name": "mine", "system": "joint", "dataset": "celeba", "beta": 0.1,
    "channel": {"kind": "gaussian", "snr": 10}, "training": {"epochs": 16},
})
config.override(settings, ["snr=1", "bands=5", "prior=draw"])
```

This module imports neither TensorFlow nor numpy.
"""

from typing import ClassVar

import pydantic

from tfcoded.config.channels import ChannelSettings, GaussianSettings
from tfcoded.config.configuration import Configuration
from tfcoded.config.decoders import DecoderSettings, ResNetSettings
from tfcoded.data import registry
from tfcoded.utils.sections import ConfigError, Integer, Section, one_of, show

SYSTEMS = ("source_vae", "channel_autoencoder", "separate", "joint")
PRIORS = ("gaussian", "draw", "draw_spatial")
PRIOR_SPACES = ("y", "z")
OBJECTIVES = ("rd", "elbo")
SIZES = ("base", "small", "smoke")  # keys of tfcoded.networks.SIZES, which imports TensorFlow
STRIDE = 8  # the encoder and decoders halve the image three times
PARTS = ("source_vae", "channel_autoencoder")  # of a separate system


class SystemNetwork(Section):
    """Sizes of the networks.

    Attributes:
      image_shape: (height, width, channels): sides that are multiples of 8, 3 or 1 channels.
      size: a key of `tfcoded.networks.SIZES`: 'base', 'small' or 'smoke'.

    Raises:
      ConfigError: if there is no network for the image shape, or no such size.
    """

    image_shape: tuple[Integer, Integer, Integer] = (32, 32, 3)
    size: str = "base"

    _place: ClassVar[str] = "network."

    def _check(self):
        height, width, channels = self.image_shape
        self._require(
            min(height, width) >= STRIDE and height % STRIDE == width % STRIDE == 0 and channels in (1, 3),
            "image_shape",
            f"(height, width, channels): sides that are multiples of {STRIDE}, 3 or 1 channels; resize the images",
        )
        self._require(self.size in SIZES, "size", one_of(SIZES, self.size))


class SystemTraining(Section):
    """How the system is trained.

    Attributes:
      epochs: passes over the training images.
      batch_size: images per step, over all replicas together.
      learning_rate: Adam's, at the first step.
      final_learning_rate: Adam's after the last step; between them it follows half a cosine.
      clip_norm: the norm that the gradient of all weights together, summed over the replicas, is clipped to.
      warm_up: part of the steps during which `beta` grows linearly from 0.
      flip: whether every training image is flipped left to right with probability 1/2.

    Raises:
      ConfigError: if a value is out of range.
    """

    epochs: Integer
    batch_size: Integer = 128
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    clip_norm: float = 1.0
    warm_up: float = 0.1
    flip: bool = True

    _place: ClassVar[str] = "training."

    def _check(self):
        self._require(self.epochs >= 1, "epochs", "at least 1")
        self._require(self.batch_size >= 1, "batch_size", "at least 1")
        self._require(self.learning_rate > 0, "learning_rate", "a number above 0")
        self._require(
            0 <= self.final_learning_rate <= self.learning_rate,
            "final_learning_rate",
            f"a number from 0 to learning_rate, {self.learning_rate}",
        )
        self._require(self.clip_norm > 0, "clip_norm", "a number above 0")
        self._require(0 <= self.warm_up <= 1, "warm_up", "a number in [0, 1]")


class SystemConfig(Configuration):
    """The complete configuration of a communication system.

    Training minimises `SSE + beta * KL`: the squared error summed over the pixels, which lie in [0, 1], and the rate
    in nats.

    Attributes:
      name: what the system is called: letters, digits, '_', '-' and '.', as it becomes a folder's name.
      system: 'joint' (encoder, channel and decoder trained as one), 'source_vae' (sends its code without a channel),
        'channel_autoencoder' (sends normal variables over the channel), or 'separate' (the code of the second kind
        sent by the third, each trained by itself; see `part`).
      dataset: a name of `tfcoded.data.DATASETS` or a path to the user's images; 'normal' for a channel autoencoder.
      beta: weight of the rate; 0 for a channel autoencoder, which has none.
      channel: a `tfcoded.config.channels.ChannelSettings`.
      prior: of lost bands, and what the rate is relative to: 'gaussian', or learned band by band: 'draw' or
        'draw_spatial' (joint systems).
      prior_space: which symbols that prior is a law of: those sent, 'y', or received, 'z'.
      objective: 'rd', or 'elbo' (joint systems with a Gaussian channel of several bands): lost bands are drawn from
        a learned posterior in training.
      decoder: a `tfcoded.config.decoders.DecoderSettings`.
      network: a `SystemNetwork`.
      training: a `SystemTraining`.
      figures: where in the paper its results are.
      parameters: part -> exact number of trainable parameters, such as {'encoder': n, 'decoder': n}; may be empty.
      published: empty: the paper prints no numbers. For code that handles every kind of configuration.

    Raises:
      ConfigError: if a value is wrong, or the parts do not fit each other.
    """

    name: str
    system: str
    dataset: str
    beta: float
    channel: ChannelSettings
    prior: str = "gaussian"
    prior_space: str = "y"
    objective: str = "rd"
    decoder: DecoderSettings = pydantic.Field(default_factory=ResNetSettings)
    network: SystemNetwork = pydantic.Field(default_factory=SystemNetwork)
    training: SystemTraining
    figures: tuple[str, ...] = ()
    parameters: dict[str, Integer] = {}
    published: dict[str, float] = {}

    FACTS: ClassVar[tuple[str, ...]] = ("figures", "parameters", "published")

    @property
    def item_shape(self):
        """Shape of one item of the data set, a tuple of `int`: of an image, or (0,) where there are none."""
        return (0,) if self.system == "channel_autoencoder" else self.network.image_shape

    @property
    def parts(self):
        """See `Configuration.parts`: the two of a separate system."""
        return {name: self.part(name) for name in PARTS} if self.system == "separate" else {}

    def part(self, system):
        """The configuration of one part of a separate system.

        Args:
          system: `str`, 'source_vae' or 'channel_autoencoder'.

        Returns:
          A `SystemConfig`, named after this one, that is trained for as many epochs.

        Raises:
          ValueError: if this is not a separate system, or has no such part.

        Example:

        ```python
        zoo.config("bwlc_separate_snr1").part("source_vae").name   # "bwlc_separate_snr1_source"
        ```
        """
        if self.system != "separate" or system not in PARTS:
            raise ValueError(f"a 'separate' system has the parts {PARTS}; got {system!r} of system {self.system!r}")
        if system == "source_vae":
            return self.without_facts(
                name=f"{self.name}_source",
                system=system,
                channel=GaussianSettings(symbols=self.channel.symbols),
            )
        # What belongs to images and to beta has its default: the networks do not depend on it.
        defaults = SystemTraining(epochs=1)
        return self.without_facts(
            name=f"{self.name}_channel",
            system=system,
            dataset=registry.NORMAL,
            beta=0.0,
            network=SystemNetwork(size=self.network.size),
            training=self.training.replace(warm_up=defaults.warm_up, flip=defaults.flip),
        )

    def idle(self):
        """See `Section.idle`."""
        keys = {}
        learned = ("prior", "prior_space", "objective")
        if self.system != "joint":
            why = f"as system is {self.system!r} and not 'joint'"
            decoder = [f"decoder.{name}" for name in type(self.decoder).model_fields]
            keys |= dict.fromkeys((*learned, "channel.bands", *decoder), why)
        elif self.channel.bits:
            keys |= dict.fromkeys(learned, f"as channel.kind is {self.channel.kind!r}, which has no prior of numbers")
        elif self.channel.bands == 1:
            keys["objective"] = "as channel.bands is 1 and no band is lost"
        if self.system == "source_vae":
            why = "as system is 'source_vae', which sends nothing over a channel"
            channel = [name for name in type(self.channel).model_fields if name not in ("kind", "symbols")]
            keys |= dict.fromkeys([f"channel.{key}" for key in channel], why)
        if self.system == "channel_autoencoder":
            why = "as system is 'channel_autoencoder', which sends no images"
            keys |= dict.fromkeys(("network.image_shape", "training.warm_up", "training.flip"), why)
        return keys

    def _check(self):
        self._check_name()
        for key, choices in (
            ("system", SYSTEMS),
            ("prior", PRIORS),
            ("prior_space", PRIOR_SPACES),
            ("objective", OBJECTIVES),
        ):
            self._require(getattr(self, key) in choices, key, one_of(choices, getattr(self, key)))
        self._require(self.beta >= 0, "beta", "a number of at least 0")
        self._require(not self.published, "published", "nothing, as the paper prints no numbers")
        if self.system == "channel_autoencoder":
            why = "as system is 'channel_autoencoder'"
            self._require(self.dataset == registry.NORMAL, "dataset", f"{registry.NORMAL!r}, {why}")
            self._require(self.beta == 0, "beta", f"0, {why}, which has no rate")
        else:
            self._require(self.dataset != registry.NORMAL, "dataset", f"images, as system is {self.system!r}")
            self._check_image_shape()
        if self.system != "joint":
            self.channel.check_separate(self.system)
            why = f"as system is {self.system!r} and not 'joint'"
            self.decoder._require(
                self.decoder.kind == DecoderSettings.default_kind, "kind", f"{DecoderSettings.default_kind!r}, {why}"
            )
        size = self.channel.symbols // self.channel.bands
        if self.prior == "draw_spatial" and size % 4:
            raise ConfigError(
                f"prior is 'draw_spatial', but a band has {size} symbols (channel.symbols / channel.bands); expected a "
                "multiple of 4, to be put on a grid of 2x2, or prior 'draw'"
            )
        if self.channel.bands > 1 and self.channel.fill_noise != "none":
            wrong = f"channel.fill_noise is {show(self.channel.fill_noise)}; expected 'none', as"
            if self.prior_space == "z":
                raise ConfigError(f"{wrong} prior_space is 'z': what was received has the channel's noise already")
            if self.objective == "elbo":
                raise ConfigError(f"{wrong} objective is 'elbo', which needs the density of what fills in a lost band")
        if self.prior_space == "z" and not self.channel.normal:
            raise ConfigError(
                f"prior_space is 'z'; expected 'y', as what arrives over channel.kind {self.channel.kind!r} is not normal"
            )
        if self.prior_space == "z" and self.prior == "gaussian":
            raise ConfigError(
                "prior_space is 'z', but prior is 'gaussian', N(0, 1), which what arrives with noise is not; expected a "
                "learned prior, or prior_space 'y'"
            )

    def to_dict(self):
        """See `config.to_dict`."""
        values = super().to_dict()
        empty = ("decoder", *self.FACTS)
        return {name: value for name, value in values.items() if value or name not in empty}

    def facts_after(self, changed):
        """See `Configuration.facts_after`."""
        kept = {}
        # The numbers of parameters depend on the other settings only.
        harmless = ("name", "dataset", "beta", "training", *self.FACTS)
        keys = [name for name in type(self).model_fields if name not in harmless]
        if all(getattr(changed, key) == getattr(self, key) for key in keys):
            kept["parameters"] = self.parameters
        if changed == self.without_facts(training=changed.training):
            kept["figures"] = self.figures
        return kept
