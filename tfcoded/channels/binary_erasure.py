"""The channel that loses bits, and says which."""

import keras
import tensorflow as tf

from tfcoded.channels._checks import as_reals, derive, probability
from tfcoded.channels.binary_symmetric import CERTAIN
from tfcoded.channels.capacity import erasure_capacity
from tfcoded.channels.channel import Channel
from tfcoded.channels.erased_prior import ErasedPrior
from tfcoded.codes.bits import check_bits
from tfcoded.distributions.truncated_exponential import uniform

_NOISE = 0  # purpose of a seed


@keras.saving.register_keras_serializable(package="tfcoded")
class BinaryErasureChannel(Channel):
    """Erases every bit with probability `erase_prob`; the receiver sees 0, 1 or a mark, one-hot.

    If a one is sent with probability `a`, the three outcomes have probabilities
    `((1-e)(1-a), (1-e) a, e)`: `received_log_probs`. A relaxed bit in [0, 1] may be sent too: it arrives as
    `(1 - y, y, 0)`, with its gradient, or as `(0, 0, 1)`, without.

    #### Example

    ```python
    channel = BinaryErasureChannel(erase_prob=0.25)
    sent = channel(bits, seed=tf.constant([1, 2]))                          # bits: [128, 100]
    sent["z"]                                                               # [128, 100, 3]
    logits = code.soft_decode(channel.log_likelihood_ratio(sent["z"]))      # of the information bits
    ```

    #### References

    [1] Choi, Tatwawadi, Grover, Weissman, Ermon, Neural Joint Source-Channel Coding, 2019.
        https://arxiv.org/abs/1811.07557
    """

    symbol_rank = 1

    def __init__(self, erase_prob, **kwargs):
        """Initialises the layer.

        Args:
          erase_prob: `float` in [0, 1], probability that a bit is lost.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if the probability is outside of [0, 1].
        """
        super().__init__(**kwargs)
        self.erase_prob = float(probability(erase_prob, "erase_prob"))

    def call(self, y, seed=None, w=None):
        """Sends bits.

        Args:
          y: `[..., n]`, zeros and ones, floating point or integers; or relaxed bits in [0, 1].
          seed: int32 [2]; not needed where `w` is given.
          w: `[..., n]`, 1 (or True) where a bit gets through.

        Returns:
          dict with `"y"` `[..., n]`, `"z"` `[..., n, 3]`, one-hot (0, 1, erased), and `"keep"` `[..., n]`,
          which bits got through: float32, or float64 where `y` is.

        Raises:
          ValueError: if an argument has a wrong type, a bit is outside of [0, 1] (which is not looked at in a graph,
            where the values are unknown), or noise has to be drawn without a seed.
        """
        y = self._bits(y)
        keep = self._keep(y, seed, w)
        return {"y": y, "z": _one_hot(y, keep), "keep": keep}

    def corrupt(self, y, seed=None, w=None):
        """The same as `call(y, seed, w)["z"]`. See `Channel.corrupt`."""
        y = self._bits(y)
        return _one_hot(y, self._keep(y, seed, w))

    def received_log_probs(self, logits):
        """Log-probabilities of the three outcomes, if a one is sent with log-odds `logits`.

        Args:
          logits: `[..., n]`, floating point.

        Returns:
          `[..., n, 3]`, same dtype (half precision widened): of 0, 1 and an erasure.
        """
        logits = as_reals(logits, "logits")
        e = tf.constant(self.erase_prob, logits.dtype)
        kept = tf.math.log1p(-e)
        erased = tf.fill(tf.shape(logits), tf.math.log(e))
        zero, one = -tf.math.softplus(logits), -tf.math.softplus(-logits)
        return tf.stack([kept + zero, kept + one, erased], axis=-1)

    def log_likelihood_ratio(self, z):
        """What a received symbol says about the bit that was sent, `log P(z | 1) - log P(z | 0)`.

        Args:
          z: `[..., n, 3]`, one-hot, as `"z"` of `call`.

        Raises:
          ValueError: if it is not.

        Returns:
          `[..., n]`: 0 where the bit was erased, 100 for a one and -100 for a zero. (The truth is infinite;
          exp(-100) is no doubt either, and sums of such numbers remain numbers.)
        """
        z = as_reals(z, "z")
        if z.shape.rank == 0 or z.shape[-1] not in (None, 3):
            raise ValueError(f"received symbols are one-hot, [..., 3]: 0, 1, erased; got {z.shape}")
        check_bits(z, "BinaryErasureChannel.log_likelihood_ratio", relaxed=True)
        return CERTAIN * (z[..., 1] - z[..., 0])

    @property
    def capacity_bits(self):
        """`float`, `1 - erase_prob` bits per bit sent."""
        return float(erasure_capacity(self.erase_prob))

    def default_prior(self):
        """`ErasedPrior()`: lost bits are erased ones."""
        return ErasedPrior()

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "erase_prob": self.erase_prob}

    def _bits(self, y):
        y = tf.convert_to_tensor(y)
        if y.dtype.is_integer:
            y = tf.cast(y, tf.float32)
        y = as_reals(y, "bits")
        check_bits(y, "BinaryErasureChannel", relaxed=True)
        return y

    def _keep(self, y, seed, w):
        if w is not None:
            return tf.cast(w, y.dtype)
        return tf.cast(uniform(1, y, derive(seed, _NOISE, "w"))[0] >= self.erase_prob, y.dtype)


def _one_hot(y, keep):
    return tf.stack([keep * (1 - y), keep * y, 1 - keep], axis=-1)
