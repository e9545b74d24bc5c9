"""Configurations: what a model is and how it is trained, loaded strictly from YAML."""

from tfcoded.config.communication import SystemConfig
from tfcoded.config.configuration import Configuration
from tfcoded.config.loading import (
    IMAGE_SHAPES,
    LIKELIHOODS,
    MOST_GENERATED,
    Config,
    Network,
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
    "Config",
    "ConfigError",
    "Configuration",
    "IMAGE_SHAPES",
    "LIKELIHOODS",
    "MOST_GENERATED",
    "Network",
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
