"""Modules from outside the package that register codes, channels, objectives, metrics or data sets of their own.

Every command imports those that `--plugin=MODULE` names before it reads a configuration:

    python -m tfcoded.train --plugin=mine --config=mine.yaml

A module is found in the current folder or among the installed packages. From Python, `import mine` does the same.
"""

import importlib
import os
import sys
import traceback

from tfcoded.utils.errors import UserError

ENVIRONMENT = "TFCODED_PLUGINS"


def load(names):
    """Imports modules and those of the environment variable TFCODED_PLUGINS, whose names commas separate.

    The variable then holds all of them, so that commands which this one starts import them too. The entry points of
    installed packages are not searched: that would cost every command 0.05 s.

    Args:
      names: `str`s, as after `import`.

    Raises:
      UserError: if a module cannot be imported; the message names it.
    """
    before = [name.strip() for name in os.environ.get(ENVIRONMENT, "").split(",") if name.strip()]
    given = {name: f"{ENVIRONMENT}: {name}" for name in before} | {name: f"--plugin={name}" for name in names}
    if not given:
        return
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # not there in a command that was started by the path of its file
    for name, place in given.items():
        try:
            _import(name)
        except UserError as error:
            raise UserError(f"{place}: {error}") from error
    os.environ[ENVIRONMENT] = ",".join(given)


def _import(name):
    if not all(part.isidentifier() for part in name.split(".")) or name.endswith(".py"):
        raise UserError("expected the name of a module as after import, such as mine for the file mine.py")
    try:
        importlib.import_module(name)
    except UserError:  # of what the module registers
        raise
    except (Exception, SystemExit) as error:  # pylint: disable=broad-except
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise UserError(f"there is no such module in {os.getcwd()} or among the installed packages") from error
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (frame.filename, frame.lineno)
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(f"the import raised {what} ({place[0]}, line {place[1]})") from error
