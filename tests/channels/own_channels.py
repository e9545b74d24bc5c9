"""Two channels as somebody outside of the package would write them: a layer, a section, one line that registers it."""

import math
from typing import ClassVar, Literal

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfcoded import channels
from tfcoded.utils import seeds

tfd = tfp.distributions


@keras.saving.register_keras_serializable("own")
class ZChannel(channels.BitChannel):
    """Zeros always arrive; a one arrives as a zero with probability `lost`."""

    def __init__(self, lost, **kwargs):
        super().__init__(**kwargs)
        self.lost = lost

    def call(self, y, seed=None):
        return {"y": y, "z": self.corrupt(y, seed)}

    def corrupt(self, y, seed=None, w=None):
        y = tf.convert_to_tensor(y)
        arrives = tf.random.stateless_uniform(tf.shape(y), seeds.derive(seed, 0)) >= self.lost
        return tf.where(arrives, y, tf.zeros_like(y))

    def log_prob(self, z, y):
        return tf.math.log(tf.where(z > 0.5, y * (1 - self.lost), y * self.lost + (1 - y)))

    @property
    def capacity_bits(self):
        return ZSettings(lost=self.lost).capacity_bits

    def default_prior(self):
        return channels.BinaryPrior()

    def get_config(self):
        return {**super().get_config(), "lost": self.lost}


@channels.register
class ZSettings(channels.BitChannelSettings):
    kind: Literal["z"] = "z"
    lost: float = 0.1

    makes: ClassVar[type] = ZChannel
    short: ClassVar[str] = "z"
    noun: ClassVar[str] = "Z-channel"
    noise: ClassVar[str] = "probability that a one is lost"

    @classmethod
    def at(cls, level):
        return cls(lost=level)

    @property
    def capacity_bits(self):
        if self.lost == 1:
            return 0.0
        return math.log2(1 + (1 - self.lost) * self.lost ** (self.lost / (1 - self.lost)))

    def _check(self):
        super()._check()
        self._require(0 <= self.lost <= 1, "lost", "a number in [0, 1]")


@keras.saving.register_keras_serializable("own")
class LaplaceChannel(channels.RealChannel):
    """Adds Laplacian noise of a given scale; its power is `2 scale^2`."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def corrupt(self, y, seed=None, w=None):
        return y + tfd.Laplace(tf.zeros_like(y), self.scale).sample(seed=seeds.derive(seed, 1))

    def rates(self, sent):
        log_prob = tfd.Laplace(sent["y"], self.scale).log_prob(sent["z"])
        return {"transmission_rate": channels.sampled_rate(sent["z"], log_prob, 1 + 2 * self.scale**2)}

    @property
    def capacity_bits(self):
        return math.inf  # no closed form

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@channels.register
class LaplaceSettings(channels.RealChannelSettings):
    kind: Literal["laplace"] = "laplace"
    scale: float = 0.5

    makes: ClassVar[str] = "own_channels:LaplaceChannel"
    bounds: ClassVar[tuple[str, ...]] = ("transmission_rate",)
