"""Configurations: what a model is and how it is trained, loaded strictly from YAML."""

from tfcoded.config.communication import SystemConfig
from tfcoded.config.configuration import Configuration
from tfcoded.config.loading import (
    CODES,
    IMAGE_SHAPES,
    LARGEST_CODEBOOK,
    LIKELIHOODS,
    MOST_GENERATED,
    OBJECTIVES,
    Code,
    Config,
    Network,
    Objective,
    Training,
    from_dict,
    from_yaml,
    load,
    override,
    to_dict,
    to_yaml,
)
from tfcoded.config.yaml_text import parse
from tfcoded.utils.sections import ConfigError

__all__ = [
    "CODES",
    "Code",
    "Config",
    "ConfigError",
    "Configuration",
    "IMAGE_SHAPES",
    "LARGEST_CODEBOOK",
    "LIKELIHOODS",
    "MOST_GENERATED",
    "Network",
    "OBJECTIVES",
    "Objective",
    "SystemConfig",
    "Training",
    "from_dict",
    "from_yaml",
    "load",
    "override",
    "parse",
    "to_dict",
    "to_yaml",
]
