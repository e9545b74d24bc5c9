"""Errors and biases of log-likelihoods, where the true ones are known."""

import math

import numpy as np
import pytest
import toy_codec

from tfcoded import codes
from tfcoded.metrics import monte_carlo
from tfcoded.metrics.likelihood.hard_likelihood import hard_log_weights
from tfcoded.metrics.likelihood.log_likelihood import measure

REPETITIONS, IMAGES, SAMPLES = 200, 60, 64
MISSES = 24  # of 200 at a rate of 1 in 22, that of two standard errors: false failure 2e-5


def test_statistics():
    values = monte_carlo.statistics(np.log([[1.0, 3.0], [2.0, 2.0], [1e-300, 1.0]]) - 5000.0)
    np.testing.assert_allclose(values[:, 0] + 5000, np.log([2.0, 2.0, 0.5]), atol=1e-9)
    np.testing.assert_allclose(values[:, 1], [1.6, 2.0, 1.0])
    assert np.isnan(values[:, 4:]).all() and values.shape == (3, monte_carlo.COLUMNS)
    # Without the first and without the second sample: 3 and 1, 2 and 2, 1 and 1e-300.
    np.testing.assert_allclose(values[:, 2], np.square([math.log(3), 0, 300 * math.log(10)]) / 4, atol=1e-12)
    np.testing.assert_allclose(
        values[:, 3], [math.log(2) - math.log(3) / 2, 0, 150 * math.log(10) - math.log(2)], rtol=1e-6
    )
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        monte_carlo.statistics([[0.0]])


def test_leaving_one_out_is_what_it_says():
    log_weights = np.random.default_rng(0).normal(0, 3, [5, 40])
    log_weights[0, 7] = 900.0  # the others are nothing beside it
    rows = monte_carlo.statistics(log_weights)
    without = np.array([monte_carlo.log_mean(np.delete(log_weights, s, axis=1)) for s in range(40)]).T
    np.testing.assert_allclose(rows[:, 3], 39 * (monte_carlo.log_mean(log_weights) - without.mean(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(rows[:, 2], 39 * without.var(axis=1), rtol=1e-9)
    np.testing.assert_allclose(rows[:, 5], monte_carlo.statistics(log_weights[:, 5:10])[:, 3], rtol=1e-9)


def log_normal(rng, deviation, kind, samples=SAMPLES, images=IMAGES):
    """Log-weights of images whose true log-likelihoods are normal with mean 0, and these.

    Args:
      kind: "own" samples of each image, "shared" by all, or by all in "three" dimensions, which images weigh each in
        its way.
    """
    true = rng.normal(size=images)
    if kind == "own":
        noise = rng.normal(size=[images, samples])
    else:
        directions = rng.normal(size=[images, 3 if kind == "three" else 1])
        directions = np.abs(directions) if kind == "shared" else directions
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        noise = directions @ rng.normal(size=[directions.shape[1], samples])
    return true[:, np.newaxis] + deviation * noise - deviation**2 / 2, true


def repeated(deviation, kind, shared=monte_carlo.shared_variance):
    rng = np.random.default_rng(0)
    for _ in range(REPETITIONS):
        log_weights, _ = log_normal(rng, deviation, kind)
        rows = monte_carlo.statistics(log_weights)
        yield monte_carlo.summarize(rows, 0.0 if kind == "own" else shared(log_weights))


def misses(found):
    """How often the stated interval misses 0, the true mean."""
    return sum(
        value - 2 * error > 0
        or value + 2 * error + (facts["bias_at_most"] if facts["bias_at_most"] is not None else np.inf) < 0
        for (value, error), facts in found
    )


@pytest.mark.parametrize("deviation, kind", [(0.5, "own"), (1, "own"), (2, "own"), (4, "own"), (6, "own")])
def test_the_interval_of_independent_samples_covers_the_truth(deviation, kind):
    found = list(repeated(deviation, kind))
    # With little bias the interval is that of a normal law: it misses now and then. None of 200: false failure 1e-4.
    assert (1 if deviation == 0.5 else 0) <= misses(found) <= MISSES
    # The standard deviation of 200 repetitions is known to 5%; four of these, and skewness: false failure 1e-4.
    values = [value for (value, _), _ in found]
    errors = [error for (_, error), _ in found]
    assert 0.78 < np.mean(errors) / np.std(values) < 1.22
    bounded = np.mean([facts["bias_at_most"] is not None for _, facts in found])
    assert bounded > {0.5: 0.95, 1: 0.95, 2: 0.7}.get(deviation, -1) and (deviation < 4 or bounded < 0.15)


@pytest.mark.parametrize("deviation, kind", [(1, "shared"), (2, "three"), (6, "three")])
def test_the_interval_of_shared_samples_covers_the_truth(deviation, kind):
    found = list(repeated(deviation, kind))
    assert misses(found) <= MISSES
    if deviation == 1:
        spread = np.std([value for (value, _), _ in found])
        assert 0.78 < np.mean([error for (_, error), _ in found]) / spread < 1.22
        # What the images do not tell: their errors alone are much smaller.
        alone = list(repeated(deviation, kind, shared=lambda _: 0.0))
        assert np.mean([error for (_, error), _ in alone]) / spread < 0.75


def test_the_bias_is_what_it_says():
    rng = np.random.default_rng(0)
    for deviation, images in ((0.5, 20_000), (1.5, 20_000)):
        log_weights, true = log_normal(rng, deviation, "own", images=images)
        (value, _), facts = monte_carlo.summarize(monte_carlo.statistics(log_weights))
        bias = true.mean() - value  # of these very images, known to 1e-3 and 4e-3
        assert 0.7 * bias < facts["bias"] < 1.4 * bias and facts["bias_at_most"] == 2 * facts["bias"]
        twice, _ = log_normal(rng, deviation, "own", samples=2 * SAMPLES, images=images)
        assert (
            abs(monte_carlo.log_mean(twice).mean() - value - facts["twice_the_samples"]) < 0.05
        )  # five errors of 0.01
    equal = monte_carlo.summarize(monte_carlo.statistics(np.zeros([3, 20])))[1]
    assert equal["bias"] == equal["bias_at_most"] == 0 and max(equal.values()) < 1e-12
    few = monte_carlo.summarize(monte_carlo.statistics(log_normal(rng, 0.5, "own", samples=15)[0]))[1]
    assert few["bias"] is few["bias_at_most"] is None and few["twice_the_samples"] > 0


def interval_misses(value, facts, exact):
    """Whether that of these very images misses their true mean."""
    above = np.inf if facts["bias_at_most"] is None else facts["bias_at_most"]
    return not value - 2 * facts["monte_carlo_error"] <= exact <= value + 2 * facts["monte_carlo_error"] + above


def test_enumeration_covers_the_truth():
    x = np.linspace(-0.2, 6.2, 30, dtype=np.float32).reshape(-1, 1, 1, 1)
    codec, config = toy_codec.ToyCodec(6, 2), toy_codec.repetition(2, 6)
    words = toy_codec.hard_words(codes.Repetition(2, 6).codebook)
    exact = np.mean([toy_codec.exact(value, words) for value in x.ravel()])
    missed, bounds = 0, []
    for seed in range(40):
        log_weights = hard_log_weights(codec, config, x, seed=seed, draws=32)
        shared = monte_carlo.shared_variance(log_weights)
        (value, _), facts = monte_carlo.summarize(monte_carlo.statistics(log_weights), shared)
        missed += interval_misses(value, facts, exact)
        bounds.append(facts["bias_at_most"])
    assert missed <= 8  # of 40 at a rate of 1 in 22: false failure 2e-4
    assert sum(bound is not None for bound in bounds) > 5 and max(bound or 0 for bound in bounds) < 0.5


def test_importance_sampling_covers_the_truth():
    train = np.linspace(0, 6, 50, dtype=np.float32).reshape(-1, 1, 1, 1)
    images = np.array([0.5, 1.9, 2.6, 4.2, 5.5], np.float32).reshape(-1, 1, 1, 1)
    codec, config = toy_codec.ToyCodec(6, 2), toy_codec.repetition(2, 6)
    exact = np.mean([toy_codec.exact(x, toy_codec.soft_words(3, 0.5, 0.5, 2)) for x in images.ravel()])
    missed = 0
    for seed in range(20):
        result = measure(
            codec,
            config,
            train,
            images,
            samples=400,
            draws=2,
            components=20,
            prior="jeffreys",
            seed=seed,
            batch_size=2000,
        )
        missed += interval_misses(result.measured["log_likelihood"].value, result.facts["log_likelihood"], exact)
    assert missed <= 5  # of 20 at a rate of 1 in 22: false failure 2e-4
