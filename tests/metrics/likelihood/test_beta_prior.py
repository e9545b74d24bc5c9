import math

import numpy as np
import pytest

from tfcoded.metrics.likelihood import beta_prior


@pytest.mark.parametrize("count", [1, 2, 5, 16, 40])
def test_quadrature_gives_all_moments_that_it_should(count):
    # a + b = 1 and a + b = 2 make terms of the recurrence 0 / 0.
    a = np.array([0.02, 0.3, 0.5, 1.0, 2.5, 50.0, 1e-3, 0.02])
    b = np.array([0.02, 0.7, 0.5, 1.0, 0.1, 50.0, 1e-3, 50.0])
    nodes, weights = beta_prior.gauss_jacobi(a, b, count)
    assert nodes.shape == weights.shape == (8, count)
    assert nodes.min() >= 0 and nodes.max() <= 1 and weights.min() > 0
    for i, (alpha, beta) in enumerate(zip(a, b, strict=True)):
        moment = 1.0
        for power in range(2 * count):
            np.testing.assert_allclose(np.sum(weights[i] * nodes[i] ** power), moment, rtol=1e-5)
            moment *= (alpha + power) / (alpha + beta + power)


def test_quadrature_is_not_exact_beyond_its_degree():
    nodes, weights = beta_prior.gauss_jacobi(np.array([1.0]), np.array([1.0]), 2)
    assert abs(np.sum(weights * nodes**4) - 1 / 5) > 1e-3


def test_fit_finds_the_parameters_it_was_given():
    a, b = np.array([0.8, 2.0, 20.0]), np.array([1.5, 0.7, 30.0])
    data = np.random.default_rng(0).beta(a, b, [20000, 3])
    fitted = np.array(beta_prior.fit_beta(data))
    # Over 30 other data sets of this size the standard deviation is at most 1.1%, and the clamped
    # probabilities shift the parameters by up to 2%. Five standard deviations on either side: false failure
    # 4e-6 in all.
    np.testing.assert_allclose(fitted, [a, b], rtol=0.075)


def test_fit_is_where_the_likelihood_is_flat():
    rng = np.random.default_rng(1)
    bimodal = np.where(rng.random([500, 1]) < 0.3, 0.002, 0.97) + 0.001 * rng.random([500, 1])
    data = np.concatenate([bimodal, rng.beta(0.05, 0.4, [500, 1]), rng.beta(3, 9, [500, 1])], axis=1)
    a, b = beta_prior.fit_beta(data)
    p = beta_prior.clamp(data)

    def score(a, b, bit):
        density = (a - 1) * np.log(p[:, bit]) + (b - 1) * np.log1p(-p[:, bit])
        return density.mean() - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))

    for bit in range(3):
        assert beta_prior.BOUNDS[0] < a[bit] < beta_prior.BOUNDS[1]
        for h in (1e-4, -1e-4):
            best = score(a[bit], b[bit], bit)
            assert score(a[bit] * (1 + h), b[bit], bit) < best
            assert score(a[bit], b[bit] * (1 + h), bit) < best


def test_fit_stays_within_its_bounds():
    constant = np.full([10, 1], 0.3)
    sure = np.array([[0.0], [1.0]] * 5)
    a, b = beta_prior.fit_beta(np.concatenate([constant, sure, 1 - constant], axis=1))
    np.testing.assert_allclose([b[0], a[2]], beta_prior.BOUNDS[1])
    np.testing.assert_allclose([a[0], a[1]], [b[2], b[1]], rtol=1e-9)  # symmetric data
    # On the bound b = 50 the other parameter is still where the likelihood is flat: near the mean.
    assert abs(a[0] / (a[0] + b[0]) - 0.3) < 0.01
    assert beta_prior.BOUNDS[0] <= a[1] < 0.3


def test_fit_refuses_what_is_no_data():
    with pytest.raises(ValueError, match="N >= 1"):
        beta_prior.fit_beta(np.zeros([0, 3]))
