"""What every command line shares: flags parsed once, a user's mistake printed as one line."""

import os
import re
import sys

from absl import app, flags, logging

from tfcoded.utils import plugins, process
from tfcoded.utils.errors import UserError, reason, said
from tfcoded.utils.sections import TOO_LARGE

_PLUGIN = (
    "Module to import first, which registers codes, channels, objectives, metrics or data sets of its own; may be"
    f" repeated; also {plugins.ENVIRONMENT}, separated by commas"
)


def run(main, define_flags=None):
    """Imports plug-ins, parses the flags, calls `main()`; a user's mistake becomes `error: ...` and exit status 2.

    Args:
      main: function whose return value is the exit status (`None` is success). Positional arguments are refused
        unless it has an attribute `positional`: the largest number of them; it is called with them.
      define_flags: function that defines the command's flags, called after the import of `--plugin`s, or `None`.

    Example:

    ```python
    if __name__ == "__main__":
        cli.run(main, define_flags)
    ```
    """

    def parse(argv):
        try:
            plugins.load(_plugins(argv))
        except UserError as error:
            sys.exit(_report(error))
        flags.DEFINE_multi_string("plugin", [], _PLUGIN)
        if define_flags is not None:
            define_flags()
        _show_in_help()
        try:
            arguments = flags.FLAGS(argv)
            _refuse_huge_numbers()
            return arguments
        except flags.Error as error:
            sys.exit(_report(f"{_flags_error(error)}; --help lists the flags"))
        except SystemExit:  # absl ends with 1 after the flags were listed, as if that were a failure
            sys.exit(0)

    def guarded(argv):
        if not flags.FLAGS["verbosity"].present:  # TensorFlow reports every step of an export otherwise
            logging.set_verbosity(logging.ERROR)
        allowed = getattr(main, "positional", 0)
        arguments = argv[1:]
        if len(arguments) > allowed:
            sys.exit(_report(f"unexpected argument {arguments[allowed]!r}; options start with --, see --help"))
        try:
            sys.exit(main(*arguments))
        except UserError as error:
            sys.exit(_report(error))
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.strerror is None:
                raise
            sys.exit(_report(reason(error)))
        except Exception as error:  # pylint: disable=broad-except
            explained = _explained(error)
            if explained is None:
                raise
            sys.exit(_report(explained))

    process.begin()
    try:
        process.catch()
        try:
            app.run(guarded, flags_parser=parse)
        finally:
            sys.stdout.flush()  # here and not at the very end, where nothing could be caught
    except BaseException as error:  # pylint: disable=broad-except
        if process.interrupted() or isinstance(error, KeyboardInterrupt):  # or whatever has become of that
            process.leave()
        if not isinstance(error, OSError) or error.strerror is None:
            raise
        # The output cannot be written; its buffer would be tried again at the very end.
        discarded = os.open(os.devnull, os.O_WRONLY)
        os.dup2(discarded, sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader of our output, such as head, has seen enough
            os.dup2(discarded, sys.stderr.fileno())
            sys.exit(141)
        sys.exit(_report(reason(error)))


def _plugins(argv):
    """The modules that --plugin names: read first, because what they register may bring flags along."""
    early = flags.FlagValues()
    flags.DEFINE_multi_string("plugin", [], _PLUGIN, flag_values=early)
    try:
        early(argv, known_only=True)
    except flags.Error:
        return ()  # those who parse all flags say what is wrong
    return early.plugin


def _show_in_help():
    """Makes --help show the flags of all of this project's modules, not those of the main module alone."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith(("tfcoded", "export", "benchmarks")):
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _explained(error):
    """What a user is told of an error that is no mistake in this code, such as too little memory; `None` of others."""
    if _is(error, "UnavailableError", "AbortedError"):  # of collective operations
        return f"another process of the cluster has ended ({said(error)}); start all again, a training goes on"
    if not isinstance(error, MemoryError) and not _is(error, "ResourceExhaustedError"):
        return None
    if "No space left on device" in str(error):  # TensorFlow's error is the same
        return said(error)
    return f"not enough memory for so many images, samples or words at a time ({said(error)})"


def _refuse_huge_numbers():
    """Refuses integers as configurations do; raises `flags.IllegalFlagValueError`."""
    for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0]):
        if isinstance(flag.value, int) and flag.value >= TOO_LARGE:
            raise flags.IllegalFlagValueError(f"--{flag.name}={flag.value}: expected less than {TOO_LARGE}")


def _flags_error(error):
    """What absl says of mistaken flags, in one line."""
    text = "; ".join(str(error).splitlines())
    return re.sub(r"flag --(\S+)=None: Flag --\1 must have a value other than None\.", r"--\1 is missing", text)


def _is(error, *names):
    """Whether an exception is one of `tf.errors`, by name: TensorFlow is not imported for this."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tuple(getattr(tensorflow.errors, name) for name in names))


def _report(error):
    print(f"error: {error}", file=sys.stderr)
    return 2
