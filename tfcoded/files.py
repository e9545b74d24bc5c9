"""Writing files so that a reader never sees half of one."""

import os
import pathlib
import tempfile


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
