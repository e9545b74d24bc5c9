"""Where files are kept that took long to make and can be made again."""

import os
import pathlib

import platformdirs

from tfcoded.utils.files import expanded

ENVIRONMENT = "TFCODED_CACHE"


def folder():
    """The folder for such files.

    Returns:
      `pathlib.Path`, not necessarily existing: the environment variable TFCODED_CACHE, else the user's folder of caches
      (on Linux `tfcoded` in XDG_CACHE_HOME, else `~/.cache/tfcoded`).
    """
    return pathlib.Path(expanded(os.environ.get(ENVIRONMENT) or platformdirs.user_cache_dir("tfcoded")))


def statistics():
    """The folder of feature statistics of whole data sets, a `pathlib.Path`."""
    return folder() / "statistics"
