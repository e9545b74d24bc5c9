"""Distributions of bits, smoothed and relaxed, and the noise of channels (TensorFlow Probability)."""

from tfcoded.distributions.bernoulli import bernoulli_entropy, bernoulli_kl
from tfcoded.distributions.binary_concrete import BinaryConcreteLogit
from tfcoded.distributions.normal import normal_kl
from tfcoded.distributions.smoothed_bernoulli import SmoothedBernoulli
from tfcoded.distributions.truncated_exponential import TruncatedExponential
from tfcoded.utils.random import standard_normal

__all__ = [
    "BinaryConcreteLogit",
    "SmoothedBernoulli",
    "TruncatedExponential",
    "bernoulli_entropy",
    "bernoulli_kl",
    "normal_kl",
    "standard_normal",
]
