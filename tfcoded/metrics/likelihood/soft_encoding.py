"""The prior and the posteriors of smoothed code bits in the soft-encoding model."""

import numpy as np
import tensorflow as tf

from tfcoded.codes import DECODED_BITS
from tfcoded.distributions import SmoothedBernoulli
from tfcoded.metrics.likelihood.beta_prior import gauss_jacobi
from tfcoded.utils.errors import UserError

# A product of so many factors exp(-beta) is far above the smallest float64, exp(-708): what is lost below
# that is nothing beside the product.
_EXPONENT = 600.0


def repeated_bits(config):
    """How often the soft-encoding model of a configuration repeats each information bit.

    Args:
      config: `tfcoded.config.Config`.

    Returns:
      `tuple` of `(bits, copies)`, one for each branch of the code: `bits` information bits of `copies` copies
      each.

    Raises:
      UserError: if the model has no soft-encoding likelihood: its copies of a bit are not drawn independently
        from one probability each.
    """
    try:
        copies = config.code.copies_of_bits()
        if config.objective.over_words and config.code.coded:
            raise UserError("a model trained on whole codewords has never seen copies of a bit that disagree")
    except UserError as error:
        raise UserError(
            f"the soft-encoding likelihood of {config.name!r} is not defined: {error};"
            f" only the hard-encoding likelihood is, for at most {DECODED_BITS} information bits"
        ) from None
    return tuple(zip(config.code.branches, copies, strict=True))


class SoftEncoding:
    """Densities of z when every copy of a bit is drawn on its own from the bit's probability.

    With independent `pi_k ~ Beta(a_k, b_k)`, `c_j | pi_k ~ Bernoulli(pi_k)` for the copies j of bit k, and
    `z_j | c_j` smoothed,

    ```none
    Q(z; q) = prod_k prod_{j in k} [q_k p(z_j|1) + (1 - q_k) p(z_j|0)]
    p(z)    = prod_k int Beta(pi; a_k, b_k) prod_{j in k} [pi p(z_j|1) + (1 - pi) p(z_j|0)] dpi
    ```

    #### Numerics

    All in float64. With `u_j = p(z_j|1)`, `v_j = p(z_j|0)` and L copies, the product over the copies of a bit
    is a polynomial in its probability,

    ```none
    prod_j [pi u_j + (1 - pi) v_j] = sum_r e_r pi^r (1 - pi)^(L - r)
    ```

    whose coefficients (sums over the subsets of r copies) depend on z alone. They are positive, so nothing
    cancels, and one matrix product evaluates them for all posteriors and all nodes: for 300 samples of 240
    code bits and 100 posteriors a tenth of the time that a logaddexp for each would take, a few hundredths of
    the decoder's. A factor is at least exp(-beta) for z in [0, 1], so 600 / beta of them at a time stay far
    from underflow; bits with more copies take several such products. The integral is a Gauss-Jacobi
    quadrature with (L + 1) / 2 nodes, which is exact for that degree.

    Args:
      branches: `tuple` of `(bits, copies)`, as `repeated_bits` gives them; M is the sum of `bits`, D that of
        `bits * copies`. Copies of a bit stand side by side in z.
      beta: `float`, inverse temperature of the smoothing.
      a, b: `[M]`, positive, parameters of the Beta prior.

    Attributes:
      prior: `(a, b)`, as given.

    Example:

    ```python
    encoding = SoftEncoding(((8, 30),), beta=15.0, a=np.full(8, 0.5), b=np.full(8, 0.5))
    log_prior, log_posterior = encoding.log_densities(z, q)   # z [S, 240], q [C, 8] -> [S], [C, S]
    ```

    #### References

    Martinez-Garcia et al., Improved Variational Inference in Discrete VAEs using Error Correcting Codes, UAI
    2025, appendix L.
    """

    def __init__(self, branches, beta, a, b):
        self.prior = (a, b)
        self._copies = np.repeat(*np.transpose([(copies, bits) for bits, copies in branches]))
        self._beta = float(beta)
        self._branches = []  # (bits, code bits, copies, nodes, log weights)
        bit = column = 0
        for bits, copies in branches:
            own, columns = slice(bit, bit + bits), slice(column, column + bits * copies)
            nodes, weights = gauss_jacobi(a[own], b[own], (copies + 2) // 2)
            self._branches.append((own, columns, copies, nodes, np.log(weights)))
            bit, column = own.stop, columns.stop

    def sample(self, logits, seed):
        """Draws the copies of each bit, smoothed.

        Args:
          logits: `[S, M]`, floating, logits of the bit probabilities, one row for each sample.
          seed: `[2]`, tf.int32.

        Returns:
          z `[S, D]`, `np.float32` in [0, 1].
        """
        logits = tf.constant(np.repeat(logits, self._copies, axis=1), tf.float32)
        return SmoothedBernoulli(logits, self._beta).sample(seed=seed).numpy()

    def log_densities(self, z, probabilities):
        """Prior density and densities for given bit probabilities.

        Args:
          z: `[S, D]`, floating, in [0, 1].
          probabilities: `[C, M]`, in [0, 1].

        Returns:
          `(log p(z), log Q(z; probabilities))`, `np.float64` `[S]` and `[C, S]`, in nats.
        """
        z = np.asarray(z, np.float64)
        log_prior = np.zeros(len(z))
        log_components = np.zeros([len(probabilities), len(z)])
        for bits, columns, copies, nodes, log_weights in self._branches:
            # Last the samples: every operation runs along them.
            branch = z[:, columns].reshape(len(z), -1, copies).transpose(1, 2, 0)
            points = np.concatenate([np.transpose(probabilities[:, bits]), nodes], axis=1)
            log_products = self._log_products(branch, points)
            components, integrand = np.split(log_products, [len(probabilities)], axis=1)
            log_components += components.sum(axis=0)
            log_prior += np.logaddexp.reduce(integrand + log_weights[..., np.newaxis], axis=1).sum(axis=0)
        return log_prior, log_components

    def _log_products(self, z, points):
        """`log prod_j [pi p(z_j|1) + (1 - pi) p(z_j|0)]`, `z : [m, L, S]`, `pi : [m, C]` to `[m, C, S]`."""
        copies = z.shape[1]
        parts = -(-copies // max(1, int(_EXPONENT / self._beta)))
        products = sum(np.log(self._products(part, points)) for part in np.array_split(z, parts, axis=1))
        log_normalizer = np.log(-np.expm1(-self._beta) / self._beta)
        return products - copies * log_normalizer

    def _products(self, z, points):
        """The same but for the logarithm and the normalizers, for so few copies that it cannot underflow."""
        bits, copies, samples = z.shape
        zero = np.exp(-self._beta * z)
        one = np.exp(self._beta * (z - 1.0))
        coefficients = np.zeros([bits, copies + 1, samples])
        coefficients[:, 0] = 1.0
        for j in range(copies):
            raised = coefficients[:, : j + 1] * one[:, j : j + 1]
            coefficients[:, : j + 1] *= zero[:, j : j + 1]
            coefficients[:, 1 : j + 2] += raised
        r = np.arange(copies + 1)
        pi = points[..., np.newaxis]
        return np.matmul(pi**r * (1.0 - pi) ** r[::-1], coefficients)
