"""The source half of the separate system: a beta-VAE with a Gaussian code."""

import math

import keras
import tensorflow as tf

from tfcoded.distributions import normal_kl, standard_normal
from tfcoded.models.system import System, squared_error
from tfcoded.networks import SIZES, ResNetDecoder, ResNetEncoder
from tfcoded.utils import seeds

_CODE = 10  # purpose of a seed


@keras.saving.register_keras_serializable("tfcoded")
class SourceVAE(System):
    """beta-VAE: `y' ~ N(mu(x), sig(x)^2)`, prior N(0, 1), decoder mean `f(y')`. It has no channel.

    ```none
    loss = sum (x - f(y'))^2 + beta KL(N(mu, sig^2) || N(0, 1))
    ```

    `beta` is in units of squared pixels: with pixels of standard deviation s it stands for a weight of
    `beta / (2 s^2)` of the divergence in a bound of log p(x).

    Args:
      encoder: from images `[b, h, w, c]` in [0, 1] to `(mu, log_sig)`, `[b, n]` each, with the attributes
        `image_shape` and `symbols`, like `ResNetEncoder`.
      decoder: from `[b, n]` to images, like `ResNetDecoder`.
      name: `str`.
      **options: see `System`.

    Example:

    ```python
    model = SourceVAE(ResNetEncoder(100, 8), ResNetDecoder(100, 8), beta=0.1)
    model.compile(optimizer=AdamL2(1e-3, l2=0.0))
    model.fit(images_uint8, batch_size=128)   # [N, 32, 32, 3]
    ```

    #### References

    [1]: Ullrich, Viola, Rezende. Neural Communication Systems with Bandwidth-limited Channel. 2020, section 5.
         https://arxiv.org/abs/2003.13367
    """

    def __init__(self, encoder, decoder, name="source_vae", **options):
        super().__init__(encoder.image_shape, encoder.symbols, name=name, **options)
        self.encoder = encoder
        self.decoder = decoder
        self._finish()

    @classmethod
    def _from_configuration(cls, config, seed, total_steps):
        symbols, width, shape = config.channel.symbols, SIZES[config.network.size].width, config.network.image_shape
        return cls(
            ResNetEncoder(symbols, width, shape, seed, name="encoder"),
            ResNetDecoder(symbols, width, shape, seed, name="decoder"),
            **cls.options(config, seed, total_steps),
        )

    def arguments(self):
        """See `StochasticModel.arguments`."""
        own = ("encoder", "decoder")
        return super().arguments() | {name: getattr(self, name) for name in own}

    def build(self, input_shape=None):
        """Creates the weights; their shapes do not depend on the input."""
        self.encoder.build((None, *self.item_shape))
        self.decoder.build((None, self.symbols))
        self.built = True

    def transmit(self, images, seed):
        """A sample of the code, `y'`. See `System.transmit`."""
        mu, log_sig = self.encoder(self.to_unit_range(images))
        return _sample(mu, log_sig, seed)

    def corrupt(self, symbols, seed):
        """`symbols` themselves: nothing comes between encoder and decoder."""
        return tf.convert_to_tensor(symbols)

    def receive(self, symbols, bands, seed):
        """The decoder's mean image; neither `bands` nor `seed` matters. See `System.receive`."""
        return self.decoder(symbols)

    def rates(self, images, seed):
        """`"rate"`, the divergence from the prior; the seed is not used. See `System.rates`."""
        mu, log_sig = self.encoder(self.to_unit_range(images))
        return {"rate": _divergence(mu, log_sig) / math.log(2)}

    def training_terms(self, images, seed, step=None):
        """See `StochasticModel.training_terms`; `rate` is in bits."""
        images = self.inputs(images, seed, step)
        mu, log_sig = self.encoder(images)
        sse = squared_error(self.decoder(_sample(mu, log_sig, seed)), images)
        divergence = _divergence(mu, log_sig)
        return {
            "loss": sse + self.weight_of_rate(step) * divergence,
            "mse": sse / self.pixels,
            "sse": sse,
            "rate": divergence / math.log(2),
        }


def _sample(mu, log_sig, seed):
    return mu + tf.exp(log_sig) * standard_normal(mu, seeds.derive(seed, _CODE))


def _divergence(mu, log_sig):
    return tf.reduce_sum(normal_kl(mu, log_sig), axis=-1)
