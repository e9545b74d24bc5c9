"""Runs commands of this package as `python -m` does, each in a process of its own, without importing TensorFlow again.

Importing TensorFlow takes longer than most commands of these tests. So one process imports it, computes nothing, and is
forked for every command: what runs there is a fresh process but for the import. What a command imports and how
fast it starts are to be tested with `subprocess`.

```python
done = commands.run("tfcoded.evaluate", "--workdir=runs/mine", cwd=tmp_path)
assert done.returncode == 0, done.stderr
```
"""

import atexit
import json
import os
import pathlib
import re
import runpy
import select
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]

# What TensorFlow has to say about devices that are missing.
_TENSORFLOW = re.compile(r"^([IWE]\d{4} \d\d:\d\d:\d\d.*|WARNING: All log messages before absl.*)\n", re.MULTILINE)

_server = None


def run(module, *arguments, cwd=ROOT, env=None, prepare=None, check=False, timeout=300):
    """Runs `python -m module arguments`.

    Args:
      module: `str`.
      *arguments: of the command.
      cwd: folder to run it in.
      env: `dict`, its environment variables; those of this process by default. Variables that are read when Python or
        TensorFlow is loaded have no effect.
      prepare: `str`, Python code to run first, or `None`.
      check: `bool`, whether an exit status other than 0 is an error.
      timeout: seconds.

    Returns:
      `subprocess.CompletedProcess` with text.
    """
    argv = [module, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "argv": argv,
            "cwd": str(cwd),
            "env": dict(os.environ if env is None else env),
            "prepare": prepare,
            "folder": folder,
        }
        status = _answer(json.dumps(request), timeout)
        out, err = (pathlib.Path(folder, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    done = subprocess.CompletedProcess(argv, status, out, _TENSORFLOW.sub("", err))
    if check:
        done.check_returncode()
    return done


def run_code(code, *arguments, **options):
    """Runs a program given as its text; else as `run`, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "program.py").write_text(code, encoding="utf-8")
        return run("program", *arguments, cwd=folder, **options)


def _answer(request, timeout):
    """The exit status of a request."""
    global _server
    if _server is None or _server.poll() is not None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        _server = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(_server.kill)
    _server.stdin.write(request + "\n")
    _server.stdin.flush()
    ready, _, _ = select.select([_server.stdout], [], [], timeout)
    if not ready:
        _server.kill()
        raise subprocess.TimeoutExpired(request, timeout)
    line = _server.stdout.readline()
    if not line:
        raise RuntimeError("the process that runs commands has ended; its messages are above")
    return int(line)


def _serve():
    """Forks for every line of the standard input; returns in the fork alone, with the request."""
    # As `tfcoded.cli` sets them; TensorFlow reads them once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_probability  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def _become(request):
    """Makes this process the command: its streams, folder, environment and arguments."""
    streams = [os.open(os.devnull, os.O_RDONLY)]
    for name in ("stdout", "stderr"):
        streams.append(os.open(os.path.join(request["folder"], name), os.O_CREAT | os.O_WRONLY, 0o600))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    sys.path[0] = request["cwd"]
    try:
        if request["prepare"]:
            exec(request["prepare"], {})
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as leaving:
        status = leaving.code
        if status is None or isinstance(status, str):
            print(status or "", end="\n" if status else "", file=sys.stderr)
            status = int(status is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # taking TensorFlow apart would take longer than many a command


if __name__ == "__main__":
    _become(_serve())
