"""What every command line shares: flags parsed once, a user's mistake printed as one line."""

import os
import sys

from absl import app, flags, logging

from tfcoded.errors import UserError, reason
from tfcoded.sections import TOO_LARGE


def run(main):
    """Parses the flags, calls `main()` and turns a user's mistake into `error: ...` and exit status 2.

    Args:
      main: function whose return value is the exit status (`None` is success). Positional arguments are refused
        unless it has an attribute `positional`: the largest number of them; it is called with them.

    Example:

    ```python
    if __name__ == "__main__":
        cli.run(main)
    ```
    """

    def parse(argv):
        try:
            arguments = flags.FLAGS(argv)
            _refuse_huge_numbers()
            return arguments
        except flags.Error as error:
            sys.exit(_report(f"{'; '.join(str(error).splitlines())}; --help lists the flags"))
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
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:  # pylint: disable=broad-except
            if not _memory_ran_out(error):
                raise
            said = str(error).strip().split("\n", maxsplit=1)[0]
            sys.exit(_report(f"not enough memory for so many images, samples or words at a time ({said})"))

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # On CPUs without AVX-512 TensorFlow leaves oneDNN's matrix products off; they make a training step 15% faster there
    # (benchmarks/training_step.py with the variable set to 0 and to 1).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith(("tfcoded", "export", "benchmarks")):  # --help shows those of the main module alone
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    try:
        try:
            app.run(guarded, flags_parser=parse)
        finally:
            sys.stdout.flush()  # here and not at the very end, where nothing could be caught
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _refuse_huge_numbers():
    """Refuses integers as configurations do; raises `flags.IllegalFlagValueError`."""
    for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0]):
        if isinstance(flag.value, int) and flag.value >= TOO_LARGE:
            raise flags.IllegalFlagValueError(f"--{flag.name}={flag.value}: expected less than {TOO_LARGE}")


def _memory_ran_out(error):
    tensorflow = sys.modules.get("tensorflow")  # not imported for this
    return isinstance(error, MemoryError) or (
        tensorflow is not None and isinstance(error, tensorflow.errors.ResourceExhaustedError)
    )


def _report(error):
    print(f"error: {error}", file=sys.stderr)
    return 2
