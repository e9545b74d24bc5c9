"""The evidence lower bound over information bits."""

import tensorflow as tf

from tfcoded.distributions import bernoulli_kl


def elbo(log_likelihood, logits, branches):
    """Evidence lower bound with a uniform prior over information bits, one sample of z per image.

    `ELBO = E[log p(x | z)] - sum_k KL(Ber(q_k) || Ber(1/2))`: equation 3 of the paper, and equation 18 when the code
    has branches.

    Args:
      log_likelihood: `[b]`, tf.float32, log p(x | z) in nats for z drawn from the posterior.
      logits: `[b, M]`, tf.float32, posterior logits of the information bits.
      branches: tuple of `int`, information bits of each branch; they sum to M.

    Returns:
      `elbo` `[b]`, and `kl_branches` `[b, len(branches)]`, in nats.

    Example:

    ```python
    bound, kl = elbo(tf.constant([-230.0]), tf.zeros([1, 8]), branches=(8,))  # -230.0 and 0.0
    ```

    #### References

    [1]: Martinez-Garcia et al. Improved Variational Inference in Discrete VAEs using Error Correcting Codes. UAI 2025.
    """
    kl = tf.split(bernoulli_kl(logits), branches, axis=-1)
    kl_branches = tf.stack([tf.reduce_sum(part, axis=-1) for part in kl], axis=-1)
    return log_likelihood - tf.reduce_sum(kl_branches, axis=-1), kl_branches
