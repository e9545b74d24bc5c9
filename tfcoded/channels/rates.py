"""Densities of the Gaussian channel, and how much it is made to carry: two upper bounds, in closed form.

All are made of what a call of the channel returns. Both bounds compare with N(0, 1 + noise_std^2), which must be the same for everything that may be sent: there is no such bound
where the noise follows the symbols (`power="element"`).
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def encoder_distribution(sent: dict[str, tf.Tensor]) -> tfp.distributions.Distribution:
    """The law of what is sent, `N(mu, sig^2)`, of whole codewords.

    ```python
    sent = channel(mu, log_sig, seed=seed)
    encoder_distribution(sent).log_prob(sent["y"])   # [b], nats
    ```

    Args:
      sent: dict, as `GaussianChannel.call` returns it, of an encoder with noise (`log_sig` was given), with
        any power but "codeword".

    Returns:
      `tfd.Independent` with the events `[n]`.
    """
    return tfd.Independent(tfd.Normal(sent["mu"], sent["sig"]), 1)


def channel_distribution(sent: dict[str, tf.Tensor]) -> tfp.distributions.Distribution:
    """The law of what is received given what was sent, `N(y, noise_std^2)`, of whole codewords.

    Args:
      sent: dict, as `GaussianChannel.call` returns it.

    Returns:
      `tfd.Independent` with the events `[n]`.
    """
    return tfd.Independent(tfd.Normal(sent["y"], sent["noise_std"]), 1)


def received_distribution(sent: dict[str, tf.Tensor]) -> tfp.distributions.Distribution:
    """The law of what is received given the encoder's input, `N(mu, sig^2 + noise_std^2)`, of codewords.

    Args:
      sent: dict, as `GaussianChannel.call` returns it, with any power but "codeword".

    Returns:
      `tfd.Independent` with the events `[n]`.
    """
    std = tf.sqrt(tf.square(sent["sig"]) + tf.square(sent["noise_std"]))
    return tfd.Independent(tfd.Normal(sent["mu"], std), 1)


def transmission_rate(sent: dict[str, tf.Tensor]) -> tf.Tensor:
    """Upper bound of `I(Y; Z)`: the divergence of the channel's law from N(0, 1 + noise_std^2).

    `T = E[log C(z|y) - log N(z)]`, here its mean over `z` in closed form for every codeword `y`. With symbols
    of unit power its mean is the capacity, whatever the code. (The paper calls it a bound of `I(X; Z)`, which
    it is, but `source_rate` is the tighter one.)

    Args:
      sent: dict, as `GaussianChannel.call` returns it.

    Returns:
      Bits per codeword, `[...]`.

    Raises:
      ValueError: if the noise follows the symbols.
    """
    return _bits(sent["y"], tf.square(sent["noise_std"]), sent["noise_std"])


def source_rate(sent: dict[str, tf.Tensor]) -> tf.Tensor:
    """Upper bound of `I(X; Z)`: as `transmission_rate`, of the law of `z` given the encoder's input.

    `T_x = E[log p(z|x) - log N(z)]` with `p(z|x) = N(mu, sig^2 + noise_std^2)`; at most the transmission rate
    in the mean, and 0 for an encoder that sends N(0, 1) whatever the input. Of `power="codeword"` it is no bound: a
    normalised codeword is not normal.

    Args:
      sent: dict, as `GaussianChannel.call` returns it.

    Returns:
      Bits per codeword, `[...]`. Divide by `n * capacity_bits` for the part of the capacity that is used.

    Raises:
      ValueError: if the noise follows the symbols.
    """
    return _bits(sent["mu"], tf.square(sent["sig"]) + tf.square(sent["noise_std"]), sent["noise_std"])


def sampled_rate(z: tf.Tensor, log_prob: tf.Tensor, variance: float) -> tf.Tensor:
    """Upper bound of `I(Y; Z)` of any channel, estimated without bias of what arrived: `log C(z|y) - log N(z; 0, v)`.

    Its mean over what is sent and received is `E KL(C(z|y) || N(0, v))`, at least `I(Y; Z)` whatever `v` is, and the
    closest where `v` is the mean square of a symbol received. For channels without a closed form.

    ```python
    sampled_rate(sent["z"], laplace.log_prob(sent["z"] - sent["y"]), variance=1 + noise_power)   # [b]
    ```

    Args:
      z: `[..., n]`, symbols received.
      log_prob: `[..., n]`, their log-densities given what was sent, nats.
      variance: `float`, v.

    Returns:
      Bits per codeword, `[...]`.
    """
    marginal = tfd.Normal(tf.zeros([], z.dtype), tf.constant(math.sqrt(variance), z.dtype))
    return tf.reduce_sum(log_prob - marginal.log_prob(z), axis=-1) / math.log(2)


def _bits(mean: tf.Tensor, variance: tf.Tensor, noise_std: tf.Tensor) -> tf.Tensor:
    """Divergence KL(N(mean, variance) || N(0, 1 + noise_std^2)), summed over the last axis, in bits."""
    if noise_std.shape.rank:
        raise ValueError('the noise follows the symbols (power="element"): nothing bounds what they carry')
    marginal = 1 + tf.square(noise_std)
    ratio = variance / marginal
    nats = 0.5 * (ratio - 1 - tf.math.log(ratio) + tf.square(mean) / marginal)
    return tf.reduce_sum(nats, axis=-1) / math.log(2)
