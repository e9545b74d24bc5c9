"""Objectives and likelihoods: functions of tensors."""

from tfcoded.objectives.elbo import elbo
from tfcoded.objectives.likelihoods import BernoulliLikelihood, GaussianLikelihood, likelihood

__all__ = ["BernoulliLikelihood", "GaussianLikelihood", "elbo", "likelihood"]
