"""The one exception that stands for a user's mistake."""


class UserError(ValueError):
    """Something the user gave is wrong; the message says what, what was expected and what to do.

    Command lines print the message as one line and exit with status 2, without a traceback
    (`tfcoded.cli.run`); from Python it is an ordinary `ValueError`.
    """
