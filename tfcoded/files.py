"""Writing files so that a reader never sees half of one, and folders that one process at a time trains in."""

import fcntl
import os
import pathlib
import tempfile

from tfcoded.errors import UserError


def write_atomically(path, content):
    """Writes `content` to `path` through a temporary file in the same folder and a rename.

    Args:
      path: `str` or `os.PathLike`; its folder is created if missing. An existing file is replaced whole.
      content: `bytes` or `str` (stored as UTF-8).

    Raises:
      OSError: if the folder cannot be written to.

    Example:

    ```python
    write_atomically("run/metrics.json", "{}")
    ```
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes private files; results are meant to be shared
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def writable_folder(path):
    """Makes the folder `path` if it is missing and finds out whether files can be written into it.

    Called before long work whose results go there.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      `pathlib.Path` of the folder.

    Raises:
      UserError: if it is a file, cannot be made, or cannot be written to.

    Example:

    ```python
    out = writable_folder("pictures")
    ```
    """
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise UserError(f"{path} is a file; expected a folder") from None
    except OSError as error:
        raise UserError(f"cannot write into the folder {path}: {error.strerror}") from error
    return path


def lock(folder):
    """Keeps other trainings out of a folder.

    Args:
      folder: `pathlib.Path`.

    Returns:
      The open file `.lock`. The lock falls when it is closed or this process ends, however that ends.

    Raises:
      UserError: if another process holds the lock.

    Example:

    ```python
    held = lock(writable_folder("runs/mine"))
    ```
    """
    file = (folder / ".lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UserError(f"another process is training in {folder}; wait for it or choose another folder") from error
    return file
