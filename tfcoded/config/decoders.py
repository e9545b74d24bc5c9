"""Sections of a configuration that describe what makes an image of the symbols received: one class for each kind.

This module imports neither TensorFlow nor numpy.
"""

from typing import ClassVar, Literal

from tfcoded.config.layers import LayerSection
from tfcoded.utils.registry import Registry
from tfcoded.utils.sections import one_of

LATENT_PRIORS = ("conditional", "unconditional")


class DecoderSettings(LayerSection):
    """What every kind of decoder has. Its layer maps `[b, symbols]` to mean images.

    Attributes:
      text: what it is, in the words of a card.

    Raises:
      ConfigError: if a value is out of range.
    """

    _place: ClassVar[str] = "decoder."
    kinds: ClassVar[Registry] = Registry("decoder")
    default_kind: ClassVar[str] = "resnet"
    text: ClassVar[str]

    def arguments(self, size):
        """Arguments of the layer's constructor behind the number of symbols, a tuple, of a `tfcoded.networks.Size`."""
        raise NotImplementedError

    def build(self, symbols, size, image_shape, seed):
        """The layer.

        Args:
          symbols: `int`, numbers that it is given.
          size: `tfcoded.networks.Size`.
          image_shape: `(h, w, c)`.
          seed: `int`, of its initial weights.
        """
        cls = self.layer_class()
        return cls(symbols, *self.arguments(size), image_shape=image_shape, seed=seed, name="decoder")

    def likelihood(self):
        """Arguments of a joint model that say what it makes of the decoder's images, a dict."""
        return {}


@DecoderSettings.register
class ResNetSettings(DecoderSettings):
    """Residual network, see `tfcoded.networks.ResNetDecoder`."""

    kind: Literal["resnet"] = "resnet"

    makes: ClassVar[type | str] = "tfcoded.networks:ResNetDecoder"
    text: ClassVar[str] = "residual network"

    def arguments(self, size):
        return (size.width,)


@DecoderSettings.register
class DrawSettings(DecoderSettings):
    """Recurrent, see `tfcoded.networks.PlainDrawDecoder`."""

    kind: Literal["draw"] = "draw"

    makes: ClassVar[type | str] = "tfcoded.networks:PlainDrawDecoder"
    text: ClassVar[str] = "recurrent, without latent variables of its own"

    def arguments(self, size):
        return size.steps, size.hidden, size.condition


@DecoderSettings.register
class ALVSettings(DecoderSettings):
    """Recurrent with auxiliary latent variables, see `tfcoded.networks.ALVDecoder`.

    Attributes:
      observation_std: standard deviation of a pixel given the symbols and latent variables.
      latent_prior: whether the latent variables' prior is learned given the symbols, 'conditional', or N(0, I),
        'unconditional'.
    """

    kind: Literal["alv"] = "alv"
    observation_std: float = 0.05
    latent_prior: str = "conditional"

    makes: ClassVar[type | str] = "tfcoded.networks:ALVDecoder"
    text: ClassVar[str] = "recurrent, with auxiliary latent variables"

    def arguments(self, size):
        return size.steps, size.hidden, size.condition, size.latents, self.latent_prior

    def likelihood(self):
        """See `DecoderSettings.likelihood`."""
        return {"observation_std": self.observation_std}

    def _check(self):
        self._require(self.observation_std > 0, "observation_std", "a number above 0")
        self._require(self.latent_prior in LATENT_PRIORS, "latent_prior", one_of(LATENT_PRIORS, self.latent_prior))
