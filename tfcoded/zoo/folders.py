"""Folders that users name: of SavedModels and their versions, and whether a name is one."""

import os
import pathlib

from tfcoded.utils.errors import UserError
from tfcoded.zoo import store


def is_folder(model, zoo_dir=None):
    """Whether a model is named by a folder, a `bool`; a name that is a folder too is that of the entry or classifier."""
    if isinstance(model, str) and model in {*store.list(zoo_dir), *store.trained(zoo_dir)}:
        return False
    return isinstance(model, os.PathLike) or isinstance(model, str) and (os.sep in model or os.path.isdir(model))


def saved_model_folder(path):
    """The folder with `saved_model.pb`: `path`, or its version folder with the largest number.

    Raises:
      UserError: if there is none.
    """
    found = find_saved_model(path)
    if found is None:
        if not named(path, "--saved_model").is_dir():
            raise UserError(f"--saved_model {path} is not a folder; expected one that holds saved_model.pb")
        raise UserError(f"--saved_model {path} holds neither saved_model.pb nor a version folder such as 1/ with it")
    return found


def find_saved_model(path):
    """As `saved_model_folder`, but `None` if there is none."""
    path = named(path, "a SavedModel's folder")
    if (path / "saved_model.pb").is_file():
        return path
    numbered = (child for child in path.iterdir() if child.name.isdecimal()) if path.is_dir() else ()
    versions = [child for child in numbered if (child / "saved_model.pb").is_file()]
    return max(versions, key=lambda child: int(child.name), default=None)


def named(path, name):
    """`pathlib.Path` of what a user gave under this name; an empty one would be the current folder."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise UserError(f"{name} is {path!r}; expected the path of a folder")
    return pathlib.Path(path)
