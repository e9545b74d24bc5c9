"""Writing a SavedModel into the next free version folder."""

import pathlib

import tensorflow as tf

from tfcoded.utils.errors import UserError, said
from tfcoded.utils.files import for_tensorflow, temporary_folder

_TEMPORARY = ".exporting-"


def save(saved, out):
    """Writes a SavedModel into the next free version folder, as `export_saved_model` does.

    Args:
      saved: `tf.Module` with a method `signatures`.
      out: `str` or path: the folder of the version folders; created if missing.

    Returns:
      `pathlib.Path` of the version folder.

    Raises:
      UserError: if the folder cannot be written.
    """
    out = pathlib.Path(for_tensorflow(out))
    try:
        with temporary_folder(out, _TEMPORARY) as temporary:
            new = temporary / "new"
            new.mkdir()
            tf.saved_model.save(saved, str(new), signatures=saved.signatures())
            return _publish(new, out)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot write a SavedModel into {out}: {said(error)}; choose another folder") from error


def _publish(new, out):
    """Renames a folder to the next free version number; another export may take that number first."""
    taken = [int(child.name) for child in out.iterdir() if child.name.isdecimal()]
    version = max(taken, default=0) + 1
    while True:
        target = out / str(version)
        try:
            if not target.exists():  # a rename would replace an empty folder
                return new.rename(target)
        except OSError:
            if not target.exists():
                raise
        version += 1
