"""The separate system: a source code and a channel code, trained apart and put one into the other."""

import keras

from tfcoded.models.channel_autoencoder import ChannelAutoencoder
from tfcoded.models.source_vae import SourceVAE
from tfcoded.models.system import System
from tfcoded.utils import seeds

_SOURCE, _CHANNEL = 10, 11  # purposes of seeds


@keras.saving.register_keras_serializable("tfcoded")
class SeparateSystem(System):
    """A `SourceVAE` whose code is sent by a `ChannelAutoencoder`: nothing here is trained.

    ```none
    x -> source encoder -> y' -> channel encoder -> y -> channel -> z -> channel decoder -> z' -> source decoder -> x
    ```

    Each part is good at its own task and knows nothing of the other: the channel code was trained for N(0, 1) numbers,
    which the code of an image resembles in the mean only.

    Args:
      source: `SourceVAE`.
      channel_autoencoder: `ChannelAutoencoder` for as many numbers.
      name: `str`.

    Raises:
      ValueError: if the two do not fit.

    Example:

    ```python
    system = SeparateSystem.from_parts(source, channel_autoencoder)
    images = system.communicate(images_uint8, 1, seed=tf.constant([1, 2]))   # [b, 32, 32, 3]
    ```

    #### References

    [1]: Ullrich, Viola, Rezende. Neural Communication Systems with Bandwidth-limited Channel. 2020, section 5.
         https://arxiv.org/abs/2003.13367
    """

    metric_names = ()

    def __init__(self, source, channel_autoencoder, name="separate"):
        super().__init__(source.item_shape, channel_autoencoder.symbols, beta=source.beta, seed=source.seed, name=name)
        if source.symbols != channel_autoencoder.source_dim:
            raise ValueError(
                f"the code of an image has {source.symbols} numbers and the channel code is for"
                f" {channel_autoencoder.source_dim}; train both with the same channel.symbols"
            )
        self.source = source
        self.channel_autoencoder = channel_autoencoder
        self._finish()

    @classmethod
    def from_parts(cls, source, channel_autoencoder):
        """The system of two trained models; it shares their weights."""
        return cls(source, channel_autoencoder)

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        return cls(
            SourceVAE.from_configuration(config.part("source_vae"), seed, total_steps),
            ChannelAutoencoder.from_configuration(config.part("channel_autoencoder"), seed, total_steps),
        )

    def arguments(self):
        """See `StochasticModel.arguments`."""
        return {name: getattr(self, name) for name in ("source", "channel_autoencoder", "name")}

    def build(self, input_shape=None):
        """Nothing is left to create: the parts have their weights."""
        self.built = True

    def transmit(self, images, seed):
        """See `System.transmit`."""
        return self.channel_autoencoder.transmit(self._code(images, seed), seeds.derive(seed, _CHANNEL))

    def corrupt(self, symbols, seed):
        """See `System.corrupt`."""
        return self.channel_autoencoder.corrupt(symbols, seed)

    def receive(self, symbols, bands, seed):
        """Neither `bands` nor `seed` matters. See `System.receive`."""
        return self.source.receive(self.channel_autoencoder.receive(symbols, bands, seed), bands, seed)

    def rates(self, images, seed):
        """`"rate"` of the source code, and of the channel code `"transmission_rate"`.

        What is sent is a function of the source code, whose own randomness the channel code does not see: it has no
        `"source_rate"` of images. See `System.rates`.
        """
        rates = self.source.rates(images, seeds.derive(seed, _SOURCE))
        of_channel = self.channel_autoencoder.rates(self._code(images, seed), seeds.derive(seed, _CHANNEL))
        return rates | {"transmission_rate": of_channel["transmission_rate"]}

    def training_terms(self, images, seed, step=None):
        """Raises `ValueError`: the parts are trained, each by itself."""
        raise ValueError("the separate system is not trained; train source and channel_autoencoder, each by itself")

    def _code(self, images, seed):
        return self.source.transmit(images, seeds.derive(seed, _SOURCE))
