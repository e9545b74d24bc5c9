"""Entropy and Kullback-Leibler divergence of independent bits, from logits."""

import tensorflow as tf

from tfcoded.distributions._tensors import as_parameter, broadcast_together


def bernoulli_entropy(logits):
    """Entropy of a bit with `P(1) = sigmoid(logits)`, in nats.

    ```none
    H(l)  = softplus(l) - l sigmoid(l) = softplus(-|l|) + |l| sigmoid(-|l|)
    dH/dl = -l sigmoid(l) sigmoid(-l)
    ```

    The second form is what is computed: a sum of two positive terms, hence with a small relative error for
    every logit, where the first form cancels (in float32 it is pure rounding error from `l = 17` on).

    ```python
    bernoulli_entropy(0.0) / tf.math.log(2.0)  # 1.0, in bits
    ```

    Args:
      logits: float32 or float64 tensor of any shape; infinite ones are certain bits.

    Returns:
      Entropies in nats, same shape and dtype as `logits`. Divide by `log(2)` for bits.

    Raises:
      ValueError: if `logits` is neither float32 nor float64.
    """
    return _entropy(tf.convert_to_tensor(as_parameter(logits, "logits")))


def bernoulli_kl(logits, prior_logits=0.0):
    """Divergence KL(Ber(sigmoid(logits)) || Ber(sigmoid(prior_logits))) of a bit, in nats.

    With `q = sigmoid(l)` and the prior's logit `p`,

    ```none
    KL = q (l - p) + softplus(p) - softplus(l),     dKL/dl = q (1 - q) (l - p),     dKL/dp = sigmoid(p) - q
    ```

    and `log(2) - H(l)` for the fair prior `p = 0`. The printed form cancels for large `|l|`: at `l = 200` it
    subtracts two numbers that float32 knows to 1e-5 only. The divergence is unchanged when both logits change
    their sign, so it is computed for `l <= 0` as `(softplus(p) - q p) - (softplus(l) - q l)`, whose terms do
    not grow with `|l|`. The absolute error is a few units of rounding (1e-7 nats in float32 for a fair
    prior), the result is never negative, and the derivatives are the closed forms above.

    ```python
    bernoulli_kl([-200.0, 0.0, 200.0])  # [0.6931472, 0., 0.6931472]
    ```

    Args:
      logits: float32 or float64 tensor, the posterior's logits; infinite ones are certain bits.
      prior_logits: the prior's logits, finite, broadcast against `logits`; 0 is the fair bit.

    Returns:
      Divergences in nats, one per bit (nothing is summed), of the broadcast shape.

    Raises:
      ValueError: if a dtype is neither float32 nor float64, or the two differ.

    #### References

    Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes, UAI
    2025, equations 3 and 18.
    """
    logits = tf.convert_to_tensor(as_parameter(logits, "logits"))
    prior_logits = tf.convert_to_tensor(as_parameter(prior_logits, "prior_logits", logits.dtype))
    return _kl(*broadcast_together(logits, prior_logits))


@tf.custom_gradient
def _entropy(logits):
    logits = _finite(logits)

    def gradient(upstream):
        return -upstream * logits * tf.sigmoid(logits) * tf.sigmoid(-logits)

    size = tf.abs(logits)
    return tf.math.softplus(-size) + size * tf.sigmoid(-size), gradient


@tf.custom_gradient
def _kl(logits, prior_logits):
    logits = _finite(logits)

    def gradient(upstream):
        q = tf.sigmoid(logits)
        d_logits = q * tf.sigmoid(-logits) * (logits - prior_logits)
        return upstream * d_logits, upstream * (tf.sigmoid(prior_logits) - q)

    size = tf.abs(logits)
    prior = tf.where(logits > 0, -prior_logits, prior_logits)
    q = tf.sigmoid(-size)
    cross_entropy = tf.math.softplus(prior) - q * prior
    entropy = tf.math.softplus(-size) + q * size
    return tf.nn.relu(cross_entropy - entropy), gradient  # relu: rounding must not make a divergence negative


def _finite(logits):
    """As finite as a certain bit needs: a product of infinity and a vanished probability would be NaN."""
    return tf.clip_by_value(logits, logits.dtype.min, logits.dtype.max)
