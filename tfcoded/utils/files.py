"""Paths as users write them, files of which a reader never sees half, and folders that one process at a time uses."""

import contextlib
import fcntl
import glob
import os
import pathlib
import shutil
import tempfile
import time

from tfcoded.utils.errors import UserError

_LOCK = ".lock"
_PATTERN = "*?[\\"  # what begins a pattern for TensorFlow
_ABANDONED = 86_400  # seconds after which nobody is writing a temporary file any more


def expanded(path):
    """A path with the home folder in place of a `~` at its beginning, which shells leave as it is after `--out=`.

    Args:
      path: `str` or `os.PathLike`.

    Returns:
      `str`.

    Raises:
      UserError: if it is not UTF-8, which TensorFlow, YAML and JSON need.
    """
    path = os.path.expanduser(os.fspath(path))
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError(f"the path {path!r} is not UTF-8; choose another") from None
    return path


def for_tensorflow(path):
    """As `expanded`, for a folder of checkpoints, SavedModels or data that TensorFlow prepared.

    TensorFlow takes their paths for patterns: of `runs/seed[1]` it reads and clears away what is in `runs/seed1`.

    Raises:
      UserError: if the path has a character that begins a pattern, or is not UTF-8.
    """
    path = expanded(path)
    found = next((character for character in path if character in _PATTERN), None)
    if found is not None:
        raise UserError(
            f"the path {path} has a {found}, by which TensorFlow would take it for a pattern of other paths; choose one"
            f" without any of {' '.join(_PATTERN)}, such as a symbolic link to it"
        )
    return path


def require_readable(files):
    """Opens files once, as TensorFlow says of one that it may not read what it says of a damaged one.

    Args:
      files: iterable of `str`s or paths; those that are missing or no files are left to whoever reads them.

    Raises:
      OSError: if one cannot be opened.
    """
    for file in files:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError), open(file, "rb"):
            pass


def write_atomically(path, content):
    """Writes `content` to `path` through a temporary file in the same folder and a rename.

    Args:
      path: `str` or `os.PathLike`; its folder is created if missing. An existing file is replaced whole.
      content: `bytes` or `str` (stored as UTF-8).

    Raises:
      OSError: if it cannot be written; names the file.

    Example:

    ```python
    write_atomically("run/metrics.json", "{}")
    ```
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    prefix = f".{path.name}.writing-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):  # by a process that was killed
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes private files; results are meant to be shared
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:  # the disk may be full
            error.filename = str(path)
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
      OSError: if files cannot be locked there.
    """
    try:
        return lock_file(folder / _LOCK)
    except BlockingIOError as error:
        raise UserError(f"another process is training in {folder}; wait for it or choose another folder") from error


def lock_file(path, *, wait=False):
    """Opens a file that one process at a time can have open in this way; the file is made if missing, and stays.

    Args:
      path: `str` or path.
      wait: `bool`, whether to wait while another process has it.

    Returns:
      The open file. The lock falls when it is closed, or this process and the children that inherited it have ended.

    Raises:
      BlockingIOError: if another process has it and `wait` is false.
      OSError: if files cannot be locked there; names the file.
    """
    file = open(path, "a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    return file


@contextlib.contextmanager
def temporary_folder(parent, prefix):
    """A new folder, in which something is made that is then renamed; removed at the end with what is left in it.

    Those that killed processes left in `parent` are removed too.

    Args:
      parent: `str` or path of a folder; made if missing.
      prefix: `str`, how its name begins.

    Returns:
      A context with the folder's `pathlib.Path`.

    Raises:
      OSError: if it cannot be made.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(UserError, OSError), lock(left):  # else its process lives
            shutil.rmtree(left)
    folder, held = _locked_folder(parent, prefix)
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(parent, prefix):
    """A new folder and the lock on it; another process may take it for a left one before it is locked."""
    while True:
        folder = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        with contextlib.suppress(UserError, FileNotFoundError):
            held = lock(folder)
            if (folder / _LOCK).exists():
                return folder, held
            held.close()
