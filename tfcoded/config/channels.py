"""Sections of a configuration that describe a channel: one class for each kind, with the settings of that kind.

A kind says here, without TensorFlow, what systems, measurements, the listing and the cards ask of a channel; its layer,
which it `makes`, does the rest. A channel from elsewhere is a layer and settings, both derived from classes of
`tfcoded.channels`:

```python
@channels.register
class LaplaceSettings(channels.RealChannelSettings):
    kind: Literal["laplace"] = "laplace"
    scale: float = 0.5
    makes: ClassVar = LaplaceChannel  # a channels.RealChannel: LaplaceChannel(scale=0.5, power="batch", bands=1)
```

This module imports neither TensorFlow nor numpy.
"""

import math
from typing import ClassVar, Literal

from tfcoded.config.layers import LayerSection
from tfcoded.utils.registry import Registry
from tfcoded.utils.sections import ConfigError, Integer, one_of, show

POWERS = ("batch", "codeword", "none", "element")
READINGS = ("power", "amplitude")
MODES = ("hard", "relaxed", "mixture")
MARGINALISATIONS = ("complete", "mc")
FILL_NOISES = ("none", "channel")
_LOST = ("probabilities", "marginalise", "fill_noise", "filler_grad", "reveal_bands")


class ChannelSettings(LayerSection):
    """What every kind of channel has.

    Attributes:
      symbols: n, channel symbols per image.
      bits: whether symbols are bits.
      alphabet: numbers that may arrive of bits; empty where symbols are real numbers.
      last: keys that are written behind the others.
      bounds: names of what the layer's `rates` gives, upper bounds of what a codeword says.
      notes: what a reader of the numbers must know of the channel, `str`s.
      limits: what must not be expected of a system with it, sentences of the card.

    Raises:
      ConfigError: if a value is out of range or means nothing for this kind of channel.
    """

    symbols: Integer = 100

    _place: ClassVar[str] = "channel."
    kinds: ClassVar[Registry] = Registry("channel")
    bits: ClassVar[bool] = False
    alphabet: ClassVar[tuple[float, ...]] = ()
    last: ClassVar[tuple[str, ...]] = ()

    def arguments(self):
        """Arguments of the layer's constructor, a dict; by default the settings that this kind alone has."""
        return self._beside(ChannelSettings)

    def build(self, name=None):
        """The layer, a `tfcoded.channels.Channel` called `name`."""
        return self.layer_class()(**self.arguments(), name=name)

    @property
    def capacity_bits(self):
        """`float`, bits that a symbol can carry, as the layer says too; infinite where no bound is known."""
        return math.inf

    @property
    def bounds(self):
        return ()

    @property
    def text(self):
        """`str`, the channel in words, as in 'images over ...'."""
        return f"a channel of kind {self.kind}"

    @property
    def fact(self):
        """`str`, the same as the card has it."""
        return self.text

    @property
    def label(self):
        """`str`, the channel in a cell of the listing."""
        return self.kind

    @property
    def order(self):
        """Key by which entries of one kind are listed, a tuple."""
        return ()

    @property
    def notes(self):
        return []

    @property
    def limits(self):
        return []

    def check_separate(self, system):
        """Raises ConfigError if `system`, which separates source and channel code, is not for this channel."""
        raise ConfigError(
            f"channel.kind is {show(self.kind)}; expected 'gaussian', as system is {system!r} and not 'joint'"
        )

    def to_dict(self):
        """See `Section.to_dict`; the keys `last` are last."""
        values = super().to_dict()
        return values | {key: values.pop(key) for key in self.last if key in values}

    def _beside(self, base):
        """The settings that `base` has not, a dict."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in base.model_fields}

    def _check(self):
        self._require(self.symbols >= 1, "symbols", "at least 1")


class RealChannelSettings(ChannelSettings):
    """What channels of real numbers have: power that is normalised, and bands that may be lost.

    Attributes:
      bands: T, equal parts of which the first B arrive; 1 means that all symbols do.
      power: how the power is normalised, one of `powers`; see `tfcoded.channels.RealChannel`.
      normal: whether what arrives of an image is normal, so that a prior of it can be learned (`prior_space` 'z').
      probabilities: P(B) of B = 0, 1 .. T, `bands + 1` numbers; empty: uniform on 1 .. T.
      marginalise: over B in training: 'complete' (all of them) or 'mc' (one is drawn).
      fill_noise: what takes the place of a lost band: a sample of the prior ('none'), or one that the
        channel's noise was added to ('channel').
      filler_grad: whether gradients pass through such samples.
      reveal_bands: whether the decoder is told which bands were received.
    """

    bands: Integer = 1
    power: str = "batch"
    probabilities: tuple[float, ...] = ()
    marginalise: str = "complete"
    fill_noise: str = "none"
    filler_grad: bool = False
    reveal_bands: bool = False

    powers: ClassVar[tuple[str, ...]] = POWERS[:3]
    normal: ClassVar[bool] = False
    last: ClassVar[tuple[str, ...]] = _LOST
    scored: ClassVar[bool] = False

    def arguments(self):
        # Every band obeys the power constraint by itself.
        bands = self.bands if self.power == "codeword" else 1
        return {**self._beside(RealChannelSettings), "power": self.power, "bands": bands}

    def idle(self):
        """See `Section.idle`."""
        return dict.fromkeys(_LOST, "as channel.bands is 1 and no band is lost") if self.bands == 1 else {}

    def to_dict(self):
        """See `Section.to_dict`."""
        values = super().to_dict()
        if not values.get("probabilities", True):
            del values["probabilities"]
        return values

    def _check(self):
        super()._check()
        for key, choices in (
            ("power", self.powers),
            ("marginalise", MARGINALISATIONS),
            ("fill_noise", FILL_NOISES),
        ):
            self._require(getattr(self, key) in choices, key, one_of(choices, getattr(self, key)))
        self._require(self.bands >= 1, "bands", "at least 1")
        self._require(
            self.symbols % self.bands == 0, "bands", f"a divisor of the {self.symbols} symbols: all bands are equal"
        )
        if self.probabilities:
            self._require(
                len(self.probabilities) == self.bands + 1
                and min(self.probabilities) >= 0
                and abs(sum(self.probabilities) - 1) < 1e-6,
                "probabilities",
                f"{self.bands + 1} numbers that sum to 1, of 0, 1 .. {self.bands} bands received",
            )


class BitChannelSettings(ChannelSettings):
    """What channels of bits have. No band of theirs is lost.

    Attributes:
      samples: words drawn per image where true bits are sent and REINFORCE trains the encoder, at least 2.
      short: name of the kind in the listing and in `python -m tfcoded.evaluate --over`.
      noun: the kind in words.
      noise: what the one number is called that says how noisy a channel is, in [0, 1]; see `at`.
      noisiest: the number above which the capacity grows again.
    """

    samples: Integer = 5

    bits: ClassVar[bool] = True
    alphabet: ClassVar[tuple[float, ...]] = (0, 1)
    bands: ClassVar[int] = 1
    last: ClassVar[tuple[str, ...]] = ("samples",)
    short: ClassVar[str]
    noun: ClassVar[str]
    noise: ClassVar[str]
    noisiest: ClassVar[float] = 1.0

    @classmethod
    def at(cls, level):
        """The channel at a level of noise, a `float` in [0, 1]."""
        raise NotImplementedError

    @classmethod
    def limit(cls, rate):
        """The noise level whose capacity is `rate`, a `float` up to `noisiest`."""
        quiet, noisy = 0.0, cls.noisiest
        for _ in range(50):  # halves the interval to nothing; the capacity decreases in it
            middle = (quiet + noisy) / 2
            if cls.at(middle).capacity_bits > rate:
                quiet = middle
            else:
                noisy = middle
        return quiet

    def arguments(self):
        """See `ChannelSettings.arguments`."""
        return self._beside(BitChannelSettings)

    @property
    def scored(self):
        """`bool`, whether training sends true bits, so that the encoder's gradient is a score-function estimate."""
        return True

    def estimator(self):
        """Arguments of `tfcoded.models.BinaryJointModel` that say how its encoder's gradient is estimated, a dict."""
        return {"samples": self.samples}

    def _check(self):
        super()._check()
        self._require(self.samples >= 2, "samples", "at least 2: the others are the baseline of each")


@ChannelSettings.register
class GaussianSettings(RealChannelSettings):
    """Additive Gaussian noise. See `tfcoded.channels.GaussianChannel`.

    Attributes:
      snr: signal-to-noise ratio: linear, of powers.
      reading: of `snr` with power 'element': 'power' or 'amplitude'.
    """

    kind: Literal["gaussian"] = "gaussian"
    snr: float = 1.0
    reading: str = "power"

    makes: ClassVar[type | str] = "tfcoded.channels:GaussianChannel"
    powers: ClassVar[tuple[str, ...]] = POWERS
    normal: ClassVar[bool] = True
    last: ClassVar[tuple[str, ...]] = ("power", "reading", *_LOST)

    def idle(self):
        """See `Section.idle`."""
        idle = super().idle()
        if self.power != "element":
            idle["reading"] = f"as channel.power is {self.power!r} and not 'element'"
        return idle

    @property
    def capacity_bits(self):
        return math.inf if self.power == "element" else 0.5 * math.log2(1 + self.snr)

    @property
    def bounds(self):
        count = {"element": 0, "codeword": 1}.get(self.power, 2)
        return ("transmission_rate", "source_rate")[:count]

    @property
    def text(self):
        return f"a Gaussian channel of signal-to-noise ratio {self.snr:g}"

    @property
    def fact(self):
        if self.power == "element":
            return f"{self.text}, of each symbol to its own noise"
        bits = self.capacity_bits
        limit = f"at most {bits:.3g} bits per symbol, {self.symbols * bits:.3g} per image"
        return f"{self.text} (power {self.power}): {limit}"

    @property
    def label(self):
        power = {"batch": "", "none": " unnormalised"}.get(self.power, f" per {self.power}")
        return f"gaussian snr {self.snr:.3g}{power}"

    @property
    def order(self):
        return self.powers.index(self.power), self.snr

    @property
    def notes(self):
        if self.power != "element":
            return []
        return [
            "noise that grows with each symbol itself: the channel's capacity is not bounded; it follows what is sent, "
            "in training the mean of that"
        ]

    @property
    def limits(self):
        if self.power != "element":
            return []
        return ["The noise grows with each symbol, so the channel has no finite capacity. It is an ablation."]

    def check_separate(self, system):
        """See `ChannelSettings.check_separate`."""
        if self.power in ("element", "none"):
            raise ConfigError(
                f"channel.power is {show(self.power)}; expected 'batch' or 'codeword', as system is {system!r} and not "
                "'joint': nothing else limits the power of a channel code"
            )

    def _check(self):
        super()._check()
        self._require(self.reading in READINGS, "reading", one_of(READINGS, self.reading))
        self._require(self.snr > 0, "snr", "a number above 0: linear, not in decibels")


@ChannelSettings.register
class BinarySymmetricSettings(BitChannelSettings):
    """Bits that are flipped. See `tfcoded.channels.BinarySymmetricChannel`.

    Attributes:
      p_keep: probability that a bit arrives as it was sent.
      mode: in training: 'hard' (bits, REINFORCE with a leave-one-out baseline), 'relaxed' or 'mixture'.
      posterior_temperature: of the encoder's relaxed bits ('relaxed' and 'mixture').
      temperature: of the channel's relaxed bits ('relaxed' and 'mixture').
    """

    kind: Literal["binary_symmetric"] = "binary_symmetric"
    p_keep: float = 0.9
    mode: str = "hard"
    posterior_temperature: float = 0.2
    temperature: float = 0.1

    makes: ClassVar[type | str] = "tfcoded.channels:BinarySymmetricChannel"
    short: ClassVar[str] = "bsc"
    noun: ClassVar[str] = "binary symmetric channel"
    noise: ClassVar[str] = "flip probability"
    noisiest: ClassVar[float] = 0.5

    @classmethod
    def at(cls, level):
        """The channel that flips a bit with probability `level`."""
        return cls(p_keep=1 - level)

    def arguments(self):
        return {"p_keep": self.p_keep, "mode": self.mode, "temperature": self.temperature}

    def estimator(self):
        """See `BitChannelSettings.estimator`."""
        temperatures = {
            "posterior_temperature": self.posterior_temperature,
            "prior_temperature": self.temperature,
        }
        return super().estimator() | temperatures

    @property
    def scored(self):
        return self.mode == "hard"

    def idle(self):
        """See `Section.idle`."""
        if self.scored:
            return dict.fromkeys(
                ("posterior_temperature", "temperature"), "as channel.mode is 'hard' and nothing is relaxed"
            )
        return {"samples": f"as channel.mode is {self.mode!r} and REINFORCE is not needed"}

    @property
    def capacity_bits(self):
        p, q = self.p_keep, 1 - self.p_keep
        return 1 + sum(x * math.log2(x) for x in (p, q) if x)

    @property
    def text(self):
        return f"a binary symmetric channel that keeps a bit with probability {self.p_keep:g}"

    @property
    def label(self):
        return f"{self.short} {self.p_keep:.3g} {self.mode}"

    def _check(self):
        super()._check()
        self._require(self.mode in MODES, "mode", one_of(MODES, self.mode))
        self._require(0 <= self.p_keep <= 1, "p_keep", "a number in [0, 1]")
        if self.mode == "relaxed":
            self._require(0 < self.p_keep < 1, "p_keep", "a number in (0, 1), as channel.mode is 'relaxed'")
        for key in ("posterior_temperature", "temperature"):
            self._require(getattr(self, key) > 0, key, "a number above 0")


@ChannelSettings.register
class BinaryErasureSettings(BitChannelSettings):
    """Bits that are lost, visibly. See `tfcoded.channels.BinaryErasureChannel`.

    Attributes:
      erase_probability: probability that a bit is lost.
    """

    kind: Literal["binary_erasure"] = "binary_erasure"
    erase_probability: float = 0.1

    makes: ClassVar[type | str] = "tfcoded.channels:BinaryErasureChannel"
    # A half stands for a bit that was erased, and stays erased if it is sent again.
    alphabet: ClassVar[tuple[float, ...]] = (0, 0.5, 1)
    short: ClassVar[str] = "bec"
    noun: ClassVar[str] = "binary erasure channel"
    noise: ClassVar[str] = "erasure probability"

    @classmethod
    def at(cls, level):
        """The channel that loses a bit with probability `level`."""
        return cls(erase_probability=level)

    @classmethod
    def limit(cls, rate):
        """See `BitChannelSettings.limit`."""
        return 1 - rate

    def arguments(self):
        return {"erase_prob": self.erase_probability}

    @property
    def capacity_bits(self):
        return 1 - self.erase_probability

    @property
    def text(self):
        return f"a binary erasure channel that loses a bit with probability {self.erase_probability:g}"

    @property
    def label(self):
        return f"{self.short} {self.erase_probability:.3g}"

    def _check(self):
        super()._check()
        self._require(0 <= self.erase_probability <= 1, "erase_probability", "a number in [0, 1]")
