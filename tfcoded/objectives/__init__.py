"""Objectives and likelihoods; TensorFlow is imported when one is used, as configurations ask which there are."""

from tfcoded.objectives.elbo import Elbo, ElboSettings
from tfcoded.objectives.importance import (
    ImportanceWeighted,
    IwaeSettings,
    VrIwaeSettings,
    doubly_reparameterized_scale,
    normalized_weights,
    vr_iwae,
)
from tfcoded.objectives.leave_one_out import LeaveOneOut, LeaveOneOutSettings, leave_one_out
from tfcoded.objectives.likelihoods import BernoulliLikelihood, GaussianLikelihood, likelihood
from tfcoded.objectives.objective import Objective, ObjectiveSettings

__all__ = [
    "BernoulliLikelihood",
    "Elbo",
    "ElboSettings",
    "GaussianLikelihood",
    "ImportanceWeighted",
    "IwaeSettings",
    "LeaveOneOut",
    "LeaveOneOutSettings",
    "Objective",
    "ObjectiveSettings",
    "VrIwaeSettings",
    "doubly_reparameterized_scale",
    "leave_one_out",
    "likelihood",
    "normalized_weights",
    "register",
    "vr_iwae",
]

register = ObjectiveSettings.register
register(ElboSettings)
register(IwaeSettings)
register(VrIwaeSettings)
register(LeaveOneOutSettings)
