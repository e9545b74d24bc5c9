"""Flags that are paths: a `~` at their beginning is the home folder, and what TensorFlow cannot take is refused.

They are defined as by `flags.DEFINE_string`, `DEFINE_multi_string` and `DEFINE_list`. The argument `check` is
`tfcoded.utils.files.expanded`, or `tfcoded.utils.files.for_tensorflow` of folders with checkpoints or SavedModels.
"""

from absl import flags

from tfcoded.utils.files import expanded

flags.disclaim_key_flags()  # they are those of the module that calls


def define(name, default, help, *, check=expanded, required=False):  # pylint: disable=redefined-builtin
    """Defines a flag that is a path."""
    flags.DEFINE(_Path(check), name, default, help, serializer=flags.ArgumentSerializer(), required=required)


def define_multi(name, default, help, *, check=expanded):  # pylint: disable=redefined-builtin
    """Defines a flag that may be given several times, a path each."""
    flags.DEFINE_multi(_Path(check), flags.ArgumentSerializer(), name, default, help)


def define_list(name, default, help, *, check=expanded, required=False):  # pylint: disable=redefined-builtin
    """Defines a flag of paths, or of names that are no paths, separated by commas."""
    serializer = flags.CsvListSerializer(",")
    flags.DEFINE(_Paths(check), name, default, help, serializer=serializer, required=required)


class _Path(flags.ArgumentParser):
    def __init__(self, check):
        super().__init__()
        self._check = check

    def parse(self, argument):
        return self._check(super().parse(argument))


class _Paths(flags.ListParser):
    def __init__(self, check):
        super().__init__()
        self._check = check

    def parse(self, argument):
        return [self._check(path) for path in super().parse(argument)]
