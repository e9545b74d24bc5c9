"""Distributions of bits and of bits smoothed into the unit interval (TensorFlow Probability)."""

from tfcoded.distributions.bernoulli import bernoulli_entropy, bernoulli_kl
from tfcoded.distributions.smoothed_bernoulli import SmoothedBernoulli
from tfcoded.distributions.truncated_exponential import TruncatedExponential

__all__ = ["SmoothedBernoulli", "TruncatedExponential", "bernoulli_entropy", "bernoulli_kl"]
