"""Objectives and likelihoods: functions of tensors."""

from tfcoded.objectives.importance import doubly_reparameterized_scale, normalized_weights, vr_iwae
from tfcoded.objectives.leave_one_out import leave_one_out
from tfcoded.objectives.likelihoods import BernoulliLikelihood, GaussianLikelihood, likelihood

__all__ = [
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "doubly_reparameterized_scale",
    "leave_one_out",
    "likelihood",
    "normalized_weights",
    "vr_iwae",
]
