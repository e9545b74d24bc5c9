"""Beta distributions of bit probabilities: fitted by maximum likelihood, integrated exactly."""

import numpy as np
import tensorflow as tf

BOUNDS = (0.02, 50.0)  # of the fitted parameters
CLAMP = 1e-3  # probabilities are kept this far from 0 and 1: their logarithms enter
_STEPS = 200
_HALVINGS = 40


def clamp(probabilities):
    """Probabilities in `[CLAMP, 1 - CLAMP]`, `np.float64`, same shape."""
    return np.clip(np.asarray(probabilities, np.float64), CLAMP, 1.0 - CLAMP)


def fit_beta(probabilities):
    """Maximum-likelihood parameters of a Beta distribution for each bit.

    ```none
    psi(a) - psi(a + b) = mean log pi,     psi(b) - psi(a + b) = mean log(1 - pi)
    ```

    The log-likelihood is concave in `(a, b)`. Newton's method goes up it from the moment estimates within
    `BOUNDS`, each step halved until it does not lead down; a parameter that its bound holds back is left out
    of the step. A bit that never varies has its maximum at infinity and ends at the upper bound.

    Args:
      probabilities: `[N, M]`, N >= 1; clamped to `[CLAMP, 1 - CLAMP]` first.

    Returns:
      `(a, b)`, each `np.float64` `[M]`, within `BOUNDS`.

    Raises:
      ValueError: if `probabilities` is no matrix with at least one row.

    Example:

    ```python
    a, b = fit_beta(codec.encode(train_images)["bit_probabilities"])
    ```

    #### References

    Minka, "Estimating a Dirichlet distribution", 2000, of which two classes are the Beta distribution.
    """
    p = clamp(probabilities)
    if p.ndim != 2 or p.shape[0] == 0:
        raise ValueError(f"a fit needs probabilities [N, M] with N >= 1, got shape {p.shape}")
    mean, variance = p.mean(axis=0), p.var(axis=0)
    with np.errstate(divide="ignore"):  # no variance: infinite concentration, cut by the bound
        concentration = mean * (1.0 - mean) / variance - 1.0
    statistics = np.stack([np.log(p).mean(axis=0), np.log1p(-p).mean(axis=0)])
    x = np.clip(np.stack([mean, 1.0 - mean]) * concentration, *BOUNDS)
    for _ in range(_STEPS):
        step = _newton_step(x, statistics)
        before, size = _log_likelihood(x, statistics), np.ones_like(mean)
        for _ in range(_HALVINGS):
            candidate = np.clip(x + size * step, *BOUNDS)
            down = _log_likelihood(candidate, statistics) < before
            if not down.any():
                break
            size = np.where(down, size / 2.0, size)
        x, moved = np.where(down, x, candidate), x
        if np.all(np.abs(x - moved) <= 1e-12 * x):
            break
    return x[0], x[1]


def _log_likelihood(x, statistics):
    """Mean log-density of the data, `[M]`, for `x = (a, b)`, `[2, M]`."""
    return np.sum((x - 1.0) * statistics, axis=0) - log_beta(*x)


def _newton_step(x, statistics):
    """`[2, M]`: the Newton step in those of a and b that their bounds let go."""
    digamma, trigamma = tf.math.digamma, lambda y: tf.math.polygamma(tf.ones_like(y), y)
    gradient = statistics - digamma(x).numpy() + digamma(x.sum(axis=0)).numpy()
    held = ((x <= BOUNDS[0]) & (gradient < 0)) | ((x >= BOUNDS[1]) & (gradient > 0))
    # Minus the Hessian is diag(psi'(a), psi'(b)) - psi'(a + b); a held parameter is taken out of the system.
    shared = np.where(held.any(axis=0), 0.0, trigamma(tf.constant(x.sum(axis=0))).numpy())
    own = trigamma(tf.constant(x)).numpy() - trigamma(tf.constant(x.sum(axis=0))).numpy()
    gradient = np.where(held, 0.0, gradient)
    determinant = own[0] * own[1] - shared**2
    return (own[::-1] * gradient + shared * gradient[::-1]) / determinant


def log_beta(a, b):
    """`log B(a, b)`, elementwise, `np.float64`."""
    return (tf.math.lgamma(a) + tf.math.lgamma(b) - tf.math.lgamma(a + b)).numpy()


def gauss_jacobi(a, b, count):
    """Nodes and weights that integrate polynomials against Beta densities exactly.

    ```none
    int_0^1 f(pi) Beta(pi; a, b) dpi = sum_n weight_n f(node_n)     for every polynomial f of degree < 2 count
    ```

    They are the eigenvalues of the tridiagonal matrix of the three-term recurrence of the Jacobi polynomials,
    and the squared first components of its eigenvectors (Golub and Welsch).

    Args:
      a, b: `[M]`, positive.
      count: `int`, at least 1, number of nodes.

    Returns:
      Nodes in (0, 1) and positive weights that sum to 1, each `np.float64` `[M, count]`.

    Example:

    ```python
    nodes, weights = gauss_jacobi(np.array([2.0]), np.array([2.0]), 2)
    (weights * nodes**3).sum()   # 0.2, the third moment of Beta(2, 2)
    ```

    #### References

    [1]: Golub, Welsch. Calculation of Gauss Quadrature Rules. Mathematics of Computation 23, 1969.
    """
    a, b = (np.asarray(x, np.float64)[:, np.newaxis] for x in (a, b))
    n = np.arange(1, count, dtype=np.float64)
    s = a + b - 2.0
    diagonal = 0.5 + 0.5 * (a - b) * s / ((2 * n + s) * (2 * n + s + 2))
    diagonal = np.concatenate([a / (a + b), diagonal], axis=1)
    # (n + s) / (2 n + s - 1) is 1 for n = 1, also where it is 0 / 0 (a + b = 1).
    first = n == 1
    ratio = np.where(first, 1.0, n + s) / np.where(first, 1.0, 2 * n + s - 1)
    off_diagonal = np.sqrt(n * (n + a - 1) * (n + b - 1) * ratio / (2 * n + s + 1)) / (2 * n + s)
    matrix = np.zeros([len(a), count, count])
    index = np.arange(count)
    matrix[:, index, index] = diagonal
    matrix[:, index[1:], index[:-1]] = off_diagonal  # eigh reads the lower triangle
    nodes, vectors = np.linalg.eigh(matrix)
    # Rounding may put a node that lies within 1e-16 of an end outside, where a density is negative.
    return np.clip(nodes, 0.0, 1.0), vectors[:, 0, :] ** 2
