"""The one exception that stands for a user's mistake, and what the system says of its own."""

import errno
import re

_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # where no file is named


class UserError(ValueError):
    """Something the user gave is wrong; the message says what, what was expected and what to do.

    Command lines print the message as one line and exit with status 2, without a traceback
    (`tfcoded.cli.run`); from Python it is an ordinary `ValueError`.
    """


def reason(error):
    """What the operating system says, such as `No space left on device: metrics.json`.

    Args:
      error: an `OSError` that has a `strerror`.

    Returns:
      `str`, with the file if one is named. What is written without a name is the standard output.
    """
    if error.filename:
        return f"{error.strerror}: {error.filename}"
    return f"{error.strerror}: standard output" if error.errno in _WRITING else error.strerror


def said(error):
    """What TensorFlow or the operating system says of an error, in one line.

    Args:
      error: exception.

    Returns:
      `str` without the names of TensorFlow's operations, such as `Collective ops is aborted by: Connection reset by peer`;
      of a graph that refused its inputs, what it asserted.
    """
    if isinstance(error, OSError) and error.strerror:
        return reason(error)
    text = str(error)
    found = re.search(r"assertion failed: \[(.*?)\](?: \[Op:.*\])?$", text, re.MULTILINE)
    if found:
        return found[1].replace("] [", " ")
    lines = (re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", line).strip() for line in text.splitlines())
    noise = ("Graph execution error", "Detected at node", "<stack traces", "[[", "Errors may have originated")
    return next((line for line in lines if line and not line.startswith(noise)), type(error).__name__)
