"""The channel half of the separate system: a code for Gaussian numbers, which sees no image."""

import keras
import tensorflow as tf

from tfcoded.channels import source_rate, transmission_rate
from tfcoded.distributions import standard_normal
from tfcoded.models.system import System
from tfcoded.networks import SIZES, SkipMLP
from tfcoded.utils import seeds

_SOURCE, _CHANNEL = 10, 11  # purposes of seeds


@keras.saving.register_keras_serializable("tfcoded")
class ChannelAutoencoder(System):
    """Sends `k = n` independent N(0, 1) numbers over a Gaussian channel, as `n` symbols, with the least squared error.

    Encoder and decoder are a linear map and a small network beside it, `SkipMLP`. The best that any code can reach is
    a mean squared error of `1 / (1 + snr)` per number, by the linear code `y = y'`, decoded with the factor
    `snr / (1 + snr)`: there both start.

    Its items are vectors of numbers, where other systems have images. Training draws them itself: a batch `[b, 0]`
    counts only.

    Args:
      symbols: `int`, n, also of the source.
      channel: `GaussianChannel`.
      units: `int`, of the hidden layers.
      name: `str`.
      **options: see `System`.

    Raises:
      ValueError: if `beta` is not 0: no rate is paid for here.

    Example:

    ```python
    model = ChannelAutoencoder(100, GaussianChannel(snr=1.0))
    model.compile(optimizer=AdamL2(1e-3, l2=0.0))
    model.fit(np.zeros([50_000, 0], np.uint8), batch_size=128)
    received = model.communicate(y, 1, seed=tf.constant([1, 2]))   # y: [b, 100]
    ```

    #### References

    [1]: Ullrich, Viola, Rezende. Neural Communication Systems with Bandwidth-limited Channel. 2020, section 5.
         https://arxiv.org/abs/2003.13367
    """

    metric_names = ("mse",)

    def __init__(self, symbols, channel, units=256, name="channel_autoencoder", **options):
        super().__init__((0,), symbols, name=name, **options)
        if self.beta:
            raise ValueError(f"a channel autoencoder pays for no rate: beta must be 0, got {self.beta}")
        self.channel = channel
        self.units = units
        self.symbol_encoder = SkipMLP(symbols, units, 1.0, self.seed, name="symbol_encoder")
        scale = channel.snr / (1 + channel.snr)
        self.symbol_decoder = SkipMLP(symbols, units, scale, self.seed, name="symbol_decoder")
        self._finish()

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        channel = config.channel
        return cls(
            channel.symbols,
            channel.build("channel"),
            4 * SIZES[config.network.size].width,
            **cls.options(config, seed, total_steps),
        )

    @property
    def source_dim(self):
        """`int`, k, numbers in an item."""
        return self.symbols

    def arguments(self):
        """See `StochasticModel.arguments`."""
        own = ("symbols", "channel", "units")
        return super().arguments() | {name: getattr(self, name) for name in own}

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        for layer in (self.symbol_encoder, self.channel, self.symbol_decoder):
            layer.build((None, self.symbols))
        self.built = True

    def source(self, count, seed):
        """Numbers to be sent, tf.float32 `[count, k]`, N(0, 1)."""
        return standard_normal(tf.zeros([count, self.source_dim]), seeds.derive(seed, _SOURCE))

    def send(self, source, seed, training=False):
        """What the channel returns of sources `[b, k]`, a dict, see `GaussianChannel.call`."""
        code = self.symbol_encoder(source)
        return self.channel(code, seed=seeds.derive(seed, _CHANNEL), training=training)

    def transmit(self, images, seed):
        """The code of sources `[b, k]`. See `System.transmit`."""
        return self.send(images, seed)["y"]

    def corrupt(self, symbols, seed):
        """See `System.corrupt`."""
        return self.channel.corrupt(symbols, seeds.derive(seed, _CHANNEL))

    def receive(self, symbols, bands, seed):
        """The sources, tf.float32 `[b, k]`; neither `bands` nor `seed` matters. See `System.receive`."""
        return self.symbol_decoder(symbols)

    def rates(self, images, seed):
        """`"transmission_rate"` and `"source_rate"`; they agree, for the code is a function of the source."""
        sent = self.send(images, seed)
        return {"transmission_rate": transmission_rate(sent), "source_rate": source_rate(sent)}

    def call(self, images, training=None):
        """`communicate` with the run's test noise."""
        return self.communicate(images, 1, seeds.derive(self.seed, seeds.TEST))

    def training_terms(self, images, seed, step=None):
        """See `StochasticModel.training_terms`; of `images`, `[b, 0]`, only the number counts."""
        source = self.source(tf.shape(images)[0], seed)
        z = self.send(source, seed, training=step is not None)["z"]
        errors = tf.math.squared_difference(self.symbol_decoder(z), source)
        return {"loss": tf.reduce_sum(errors, axis=-1), "mse": tf.reduce_mean(errors, axis=-1)}
