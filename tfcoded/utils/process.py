"""The process of a command: its streams, its environment, and an end within two seconds of Ctrl-C or SIGTERM."""

import contextlib
import os
import signal
import sys

_PACKAGES = ("tfcoded", "export", "benchmarks")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ASCII = {"±": "+-", "α": "alpha", "β": "beta", "é": "e"}  # the other characters that this project prints
_SECONDS = 1.5  # from a signal to the end, whatever the main thread is doing

_begun = False
_caught = False  # whether somebody catches KeyboardInterrupt
_received = None  # the first signal


def begin():
    """Installs the handler of SIGINT and SIGTERM, opens closed streams, sets the environment; the second call does nothing.

    A signal ends the process with status 128 + its number (130, 143): at once where nothing can have been written, that
    is before `catch` and during an import, else by KeyboardInterrupt. Code that runs without returning to Python, or
    loses the exception, is ended after 1.5 seconds. A signal that the caller ignores, as nohup does, stays ignored.
    """
    global _begun
    if _begun:
        return
    _begun = True
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)
    _open_streams()
    _set_environment()
    import threading  # not before the handler is there

    wakeups, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    threading.Thread(target=_end_in_time, args=[wakeups], daemon=True).start()
    sys.unraisablehook = _unraisable


def begin_command():
    """`begin` while `python -m` loads the package of one of this project's commands; called by the packages."""
    if sys.argv[:1] == ["-m"] and "-m" in sys.orig_argv:
        name = sys.orig_argv[sys.orig_argv.index("-m") + 1]
        if name.split(".", maxsplit=1)[0] in _PACKAGES:
            begin()


@contextlib.contextmanager
def ended_at_once():
    """In this context, for code that never returns to Python or has a handler of its own, signals end at once."""
    ours = [number for number in _SIGNALS if signal.getsignal(number) is _on_signal]
    for number in ours:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, _on_signal)


def catch():
    """From here on a signal raises KeyboardInterrupt; the caller calls `leave` when it comes."""
    global _caught
    _caught = True


def interrupted():
    """Whether a signal came."""
    return _received is not None


def check():
    """Raises KeyboardInterrupt if a signal came, for the case that something caught the first one."""
    if interrupted():
        raise KeyboardInterrupt


def leave():
    """Ends the process with the status of the signal, without taking TensorFlow apart, which may wait for others."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, RuntimeError):  # closed, read by nobody, or being written just now
            pass
    os._exit(128 + (_received or signal.SIGINT))


def _on_signal(number, frame):
    global _received
    if _received is None:  # timeout(1) sends it twice
        _received = number
        if not _caught or _in_import(frame):
            leave()
        raise KeyboardInterrupt


def _in_import(frame):
    """Whether a module is being imported; some catch every exception, TensorFlow among them."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end_in_time(wakeups):
    import time

    number = 0
    while number not in _SIGNALS or signal.getsignal(number) != _on_signal:
        number = os.read(wakeups, 1)[0]
    time.sleep(_SECONDS)
    os.write(2, b"\ninterrupted\n")
    os._exit(128 + number)


def _unraisable(unraisable):
    if not (interrupted() and issubclass(unraisable.exc_type, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)


def _set_environment():
    """Sets what TensorFlow and Keras read when they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # On CPUs without AVX-512 TensorFlow leaves oneDNN's matrix products off; they make a training step 15% faster there
    # (benchmarks/training_step.py with the variable set to 0 and to 1).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

    from tfcoded.utils import keras_settings

    keras_settings.ignore()


def _open_streams():
    """Makes the standard streams writable whatever they are: closed ones discard, an ASCII terminal gets `+-`."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8"))
    import codecs

    def plain(error):
        known = _ASCII.get(error.object[error.start]) if isinstance(error, UnicodeEncodeError) else None
        return (known, error.start + 1) if known else codecs.backslashreplace_errors(error)

    codecs.register_error("tfcoded", plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="tfcoded")
