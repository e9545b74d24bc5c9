"""What all systems that send something over a channel have in common."""

import tensorflow as tf

from tfcoded.models.stochastic_model import StochasticModel
from tfcoded.utils import seeds
from tfcoded.utils.random import uniform

# Purposes of seeds. The systems draw with those from 10 on.
_FLIP, _TRANSMIT, _CORRUPT, _RECEIVE = range(1, 5)


class System(StochasticModel):
    """Base of the systems that send images, or Gaussian sources, as `symbols` symbols over a noisy channel.

    A subclass implements `transmit`, `corrupt`, `receive`, `rates`, `training_terms` and `build`.

    Attributes:
      item_shape: shape of what is sent, `(h, w, c)`, or `(0,)` where the system draws its sources itself.
      symbols: `int`, n, numbers sent per image.
      bands: `int`, T, parts of a codeword of which the last may be lost; 1 where all of it arrives.
      pixels: `int`, numbers in an image.
      beta: `float`, weight of the rate in nats against the sum of squared errors of pixels in [0, 1].
    """

    monitor = "mse"
    metric_names = ("mse", "sse", "rate")

    def __init__(
        self,
        item_shape,
        symbols,
        bands=1,
        beta=0.0,
        warm_up_steps=0,
        clip_norm=None,
        flip=False,
        seed=0,
        name=None,
    ):
        """Initialises the model.

        Args:
          item_shape: see the class.
          symbols: `int`.
          bands: `int`.
          beta: `float`.
          warm_up_steps: `int`, during how many steps of a training `beta` grows from 0, in equal parts.
          clip_norm: see `StochasticModel`.
          flip: `bool`, whether training mirrors half of the images, left to right.
          seed: see `StochasticModel`.
          name: `str`, the first part of the paths of all weights.
        """
        super().__init__(seed=seed, clip_norm=clip_norm, name=name)
        self.item_shape = tuple(item_shape)
        self.symbols = symbols
        self.bands = bands
        self.beta = float(beta)
        self.warm_up_steps = warm_up_steps
        self.flip = flip

    def arguments(self):
        """See `StochasticModel.arguments`."""
        options = ("beta", "warm_up_steps", "clip_norm", "flip")
        return super().arguments() | {name: getattr(self, name) for name in options}

    @staticmethod
    def options(config, seed=0, total_steps=None):
        """The arguments of the constructor that are the same for all systems.

        Args:
          config: `tfcoded.config.communication.SystemConfig`.
          seed: `int`.
          total_steps: `int`, steps of the whole training, or `None` for a `beta` that does not grow.
        """
        training = config.training
        return {
            "beta": config.beta,
            "warm_up_steps": round(training.warm_up * (total_steps or 0)),
            "clip_norm": training.clip_norm,
            "flip": training.flip,
            "seed": seed,
        }

    @property
    def pixels(self):
        height, width, channels = self.item_shape
        return height * width * channels

    def transmit(self, images, seed):
        """What is sent of images, after any normalisation of its power.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.

        Returns:
          tf.float32 `[b, n]`.
        """
        raise NotImplementedError

    def corrupt(self, symbols, seed):
        """What arrives of symbols if no band is lost.

        Args:
          symbols: `[b, n]`, as `transmit` returns them.
          seed: `int32 [2]`.

        Returns:
          tf.float32 `[b, n]`.
        """
        raise NotImplementedError

    def receive(self, symbols, bands, seed):
        """Images out of what arrived.

        Args:
          symbols: `[b, n]`, as `corrupt` returns them.
          bands: integer scalar or `[b]` in 0..T, how many bands arrived; the others are filled in. Not looked at where
            T is 1.
          seed: `int32 [2]`, of what is filled in and of what the decoder draws.

        Returns:
          tf.float32 `[b, h, w, c]`, not clipped to [0, 1].
        """
        raise NotImplementedError

    def rates(self, images, seed):
        """How much is said of images, upper bounds in bits.

        Args:
          images: `[b, h, w, c]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.

        Returns:
          dict of tf.float32 `[b]`.
        """
        raise NotImplementedError

    def communicate(self, images, bands, seed):
        """Images as they come out at the other end.

        Args:
          images: as of `transmit`.
          bands: as of `receive`.
          seed: `int32 [2]`.

        Returns:
          As `receive`.
        """
        sent = self.transmit(images, seeds.derive(seed, _TRANSMIT))
        arrived = self.corrupt(sent, seeds.derive(seed, _CORRUPT))
        return self.receive(arrived, bands, seeds.derive(seed, _RECEIVE))

    def call(self, images, training=None):
        """`communicate` with all bands and the run's test noise."""
        return self.communicate(images, self.bands, seeds.derive(self.seed, seeds.TEST))

    def inputs(self, images, seed, step):
        """Images as tf.float32 in [0, 1] `[b, h, w, c]`, some of them mirrored where they are trained on."""
        images = self.to_unit_range(images)
        if step is None or not self.flip:
            return images
        draws = uniform(1, images[:, 0, 0, 0], seeds.derive(seed, _FLIP))[0]
        return tf.where((draws < 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis], tf.reverse(images, [2]), images)

    def weight_of_rate(self, step):
        """`beta`, or what it has grown to before `step`; a tf.float32 scalar."""
        if step is None or not self.warm_up_steps:
            return tf.constant(self.beta)
        return self.beta * tf.minimum(tf.cast(step, tf.float32) / self.warm_up_steps, 1.0)


def squared_error(images, targets):
    """Sum of squared errors of every image, `[b]`, of `[b, h, w, c]`."""
    return tf.reduce_sum(tf.math.squared_difference(images, targets), axis=[1, 2, 3])
