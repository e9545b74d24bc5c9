"""What a loaded model says that it is, and whether that is what its name says."""

from tfcoded import config as configuration, families
from tfcoded.runs.workdir import differences
from tfcoded.utils.errors import UserError


def configuration_of(codec, folder):
    """The configuration inside a model.

    Args:
      codec: the model, a loaded SavedModel or the object that one is saved from.
      folder: `str` or path where it comes from, for messages.

    Returns:
      A `tfcoded.config.Config` or `tfcoded.config.communication.SystemConfig`.

    Raises:
      UserError: if it is a SavedModel of something else.
    """
    require_methods(codec, ("configuration",), folder)
    text = codec.configuration()
    text = text if isinstance(text, str) else text.numpy().decode()
    config = configuration.from_yaml(text, source=str(folder))
    require_methods(codec, families.of(config).methods, folder)
    return config


def require_entry(codec, entry, folder):
    """Refuses a model of another configuration than its entry's; published numbers and epochs do not matter.

    Args:
      codec, folder: as in `configuration_of`.
      entry: the configuration of the zoo entry in whose place the model is.

    Returns:
      The configuration inside the model.

    Raises:
      UserError: if it is another model; the message names the settings.
    """
    config = configuration_of(codec, folder)
    changed = differences(config, entry)
    if changed:
        raise UserError(
            f"{folder} holds a model of another configuration than the entry {entry.name}: {'; '.join(changed)};"
            " a model of your own belongs under a name of its own, or is given by its folder (--saved_model)"
        )
    return config


def require_methods(codec, methods, folder):
    """Refuses what lacks one of these methods, `str`s; `codec`, `folder` as in `configuration_of`."""
    missing = ", ".join(method for method in methods if not hasattr(codec, method))
    if missing:
        raise UserError(f"{folder} holds a SavedModel without {missing}; expected one that tfcoded exported")
