"""Densities of the Gaussian channel, made of what a call of it returns."""

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


def encoder_distribution(sent):
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


def channel_distribution(sent):
    """The law of what is received given what was sent, `N(y, noise_std^2)`, of whole codewords.

    Args:
      sent: dict, as `GaussianChannel.call` returns it.

    Returns:
      `tfd.Independent` with the events `[n]`.
    """
    return tfd.Independent(tfd.Normal(sent["y"], sent["noise_std"]), 1)


def received_distribution(sent):
    """The law of what is received given the encoder's input, `N(mu, sig^2 + noise_std^2)`, of codewords.

    Args:
      sent: dict, as `GaussianChannel.call` returns it, with any power but "codeword".

    Returns:
      `tfd.Independent` with the events `[n]`.
    """
    std = tf.sqrt(tf.square(sent["sig"]) + tf.square(sent["noise_std"]))
    return tfd.Independent(tfd.Normal(sent["mu"], std), 1)
