"""Trains and ships the zoo's entries, one after the other, in the order of a list.

    python -m export.fill_zoo --status
    python -m export.fill_zoo --storage=compensated
    python -m export.fill_zoo --storage=compensated --budget=2.5
    python -m export.fill_zoo --queue=mine.yaml --runs_dir=runs --dtype_policy=float32

The list, `<zoo_dir>/queue.yaml`, has a line `- coded_8_240: 40` for each entry: its name and for how many epochs it is
trained. The first entry that has no weights and that no other process has taken is trained in `<runs_dir>/NAME`, as by
python -m tfcoded.train, and added to the zoo, as by python -m export.ship. Then comes the next one.

The same command goes on where one was stopped, by Ctrl-C, `kill -9` or a power failure. Several of them, on machines that
share both folders too, take different entries. On a CPU two processes with one thread each make more steps than one
with two:

    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 taskset -c 0 python -m export.fill_zoo --storage=compensated &
    TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 taskset -c 1 python -m export.fill_zoo --storage=compensated
"""

import pathlib
import signal
import subprocess
import sys
import time

from absl import flags

from export import zoo_queue
from tfcoded import cli, zoo
from tfcoded.storage import STORAGES
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, lock_file, writable_folder

FLAGS = flags.FLAGS

_SHIPPING = ".shipping"  # in the folder of the runs: one process at a time adds to the zoo
_FINAL = ("--noexport", "--runs=1", "--words=128")  # what is shipped is measured when it is shipped


def define_flags():
    path_flags.define("queue", None, f"File with the list; default: {zoo_queue.FILE} in the folder of the zoo.")
    path_flags.define(
        "runs_dir", "runs", "Folder of the training runs, each in a folder of its name.", check=for_tensorflow
    )
    default = f"default: ${zoo.ENVIRONMENT}, the clone's zoo/"
    path_flags.define("zoo_dir", None, f"Folder of zoo entries; {default}.", check=for_tensorflow)
    flags.DEFINE_bool("status", False, "Say what is done, running and left, and train nothing.")
    flags.DEFINE_float("budget", None, "Hours after which to stop, in order.", lower_bound=0.0)
    flags.DEFINE_enum("storage", "float32", STORAGES, "How kernels are stored, see python -m export.storages.")
    flags.DEFINE_enum("dtype_policy", "auto", ("auto", "float32", "mixed_bfloat16"), "Precision of the networks.")
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)


def main():
    zoo_dir = zoo.directory(FLAGS.zoo_dir)
    jobs = zoo_queue.read(FLAGS.queue or zoo_dir / zoo_queue.FILE, FLAGS.zoo_dir)
    runs_dir = pathlib.Path(FLAGS.runs_dir)
    if FLAGS.status:
        print(_survey(jobs, runs_dir))
        return 0
    deadline = None if FLAGS.budget is None else time.monotonic() + 3600 * FLAGS.budget
    writable_folder(runs_dir)
    failed = []
    while (taken := _next(jobs, runs_dir, failed)) is not None:
        job, claim = taken
        print(_survey(jobs, runs_dir), flush=True)
        with claim:
            try:
                _fill(job, runs_dir, claim, deadline)
            except subprocess.TimeoutExpired:
                print(f"--budget={FLAGS.budget:g} is used up; the same command goes on from here")
                return 0
            except subprocess.CalledProcessError:
                failed.append(job)
    print(_survey(jobs, runs_dir))
    if failed:
        raise UserError(f"{', '.join(job.name for job in failed)} failed, for the reasons above")
    return 0


def _survey(jobs, runs_dir):
    return zoo_queue.table([zoo_queue.progress(job, runs_dir, FLAGS.zoo_dir) for job in jobs])


def _next(jobs, runs_dir, failed):
    """The first job that is neither done nor taken nor failed, with the claim on it, or `None`."""
    for job in jobs:
        if job in failed or zoo.has_weights(job.name, FLAGS.zoo_dir):
            continue
        try:
            claim = zoo_queue.claim(runs_dir / job.name)
        except BlockingIOError:
            continue
        if not zoo.has_weights(job.name, FLAGS.zoo_dir):  # another process may have added it meanwhile
            return job, claim
        claim.close()
    return None


def _fill(job, runs_dir, claim, deadline):
    """Trains what is left of a job and adds it to the zoo."""
    workdir = runs_dir / job.name
    data = [f"--data_dir={FLAGS.data_dir}"] if FLAGS.data_dir else []
    zoo_dir = [f"--zoo_dir={FLAGS.zoo_dir}"] if FLAGS.zoo_dir else []
    if zoo_queue.progress(job, runs_dir, FLAGS.zoo_dir).trained < job.epochs:
        settings = [f"--model={job.name}", f"--epochs={job.epochs}", f"--dtype_policy={FLAGS.dtype_policy}"]
        _run("tfcoded.train", [*settings, f"--workdir={workdir}", *_FINAL, *data, *zoo_dir], claim, deadline)
    with lock_file(runs_dir / _SHIPPING, wait=True) as file:
        shipment = [f"--workdir={workdir}", f"--storage={FLAGS.storage}", *data, *zoo_dir]
        _run("export.ship", shipment, claim, deadline, file)


def _run(module, arguments, claim, deadline, *files):
    """Runs a command in a process of its own, which keeps the claim, and the locked files, if this one is killed.

    Raises:
      subprocess.CalledProcessError: if it fails.
      subprocess.TimeoutExpired: at the deadline; the command was interrupted and has ended.
    """
    command = [sys.executable, "-m", module, *arguments]
    print(f"$ {' '.join(command[1:])}", flush=True)
    # In a group of its own, so that Ctrl-C reaches it once, from here.
    inherited = [claim.fileno(), *(file.fileno() for file in files)]
    child = subprocess.Popen(command, pass_fds=inherited, process_group=0)
    try:
        status = child.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except BaseException:
        child.send_signal(signal.SIGINT)  # a training then says what it keeps
        child.wait()
        raise
    if status:
        raise subprocess.CalledProcessError(status, command)


if __name__ == "__main__":
    cli.run(main, define_flags)
