"""Comparison of a Monte Carlo mean with its exact value."""

import numpy as np


def assert_mean(samples, expected, errors=4.5):
    """Mean of independent `samples` is `expected` within 4.5 standard errors: false-failure rate 7e-6."""
    samples = np.asarray(samples, np.float64).ravel()
    assert samples.size >= 1000
    standard_error = samples.std(ddof=1) / np.sqrt(samples.size)
    distance = abs(samples.mean() - expected)
    assert distance < errors * standard_error, f"{samples.mean()} +- {standard_error}, expected {expected}"
