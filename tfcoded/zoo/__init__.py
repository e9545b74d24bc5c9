"""The model zoo: every configuration of the papers, with trained models where there are any."""

from tfcoded.zoo.store import (
    CLASSIFIER,
    ENVIRONMENT,
    SMOKE,
    Measurement,
    config,
    directory,
    find,
    has_weights,
    list,
    load,
    load_saved_model,
    load_trained,
    measured,
    measured_path,
    natural,
    read_record,
    saved_model_path,
    trained,
    trained_path,
    with_own_facts,
)

__all__ = ["CLASSIFIER", "ENVIRONMENT", "Measurement", "SMOKE", "config", "directory", "find", "has_weights", "list", "load", "load_saved_model", "load_trained", "measured", "measured_path", "natural", "read_record", "saved_model_path", "trained", "trained_path", "with_own_facts"]
