"""From trained models to SavedModels that need nothing but TensorFlow: `python -m export --help`."""

import tfcoded  # noqa: F401  # pylint: disable=unused-import  # prepares the process of a command

# How kernels are stored. Here, so that a command line can name them without importing TensorFlow.
STORAGES = ("float32", "bfloat16", "int8", "int6", "int5", "int4", "compensated")


def storages_of(config):
    """The storages that a model can be exported in, a tuple of `str`.

    Args:
      config: `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig` of the model.
    """
    from tfcoded import families as kinds

    return tuple(name for name in STORAGES if name != "compensated" or kinds.of(config).compensated)


def require(storage, config):
    """Refuses a storage that a model cannot be exported in.

    Raises:
      UserError: naming those that it can.
    """
    from tfcoded.utils.errors import UserError

    possible = storages_of(config)
    if storage not in possible:
        raise UserError(f"storage {storage!r} is not for {config.name}; choose one of {', '.join(possible)}")
