"""The machines of a training on several: what the environment variable TF_CONFIG says of them, and whether they came."""

import contextlib
import json
import os
import re
import socket
import sys
import time

from tfcoded.utils.errors import UserError
from tfcoded.utils.progress import clock

_EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
_SECONDS = 600.0  # how long the others are waited for


class Cluster:
    """What TF_CONFIG says.

    Args:
      asked: `bool`, whether a cluster was asked for and must be there.

    Attributes:
      size: `int`, number of processes, each on a machine of its own as a rule; 0 without a TF_CONFIG or a cluster in it.
      own_address: `str`, host and port of this process, if it has a place.

    Raises:
      UserError: if it is not understood, or this process has no place in the cluster.
    """

    def __init__(self, asked=False):
        content = _content()
        jobs = content.get("cluster") or {}
        self._addresses = {(job, index): address for job in jobs for index, address in enumerate(jobs[job])}
        self.size = len(self._addresses)
        if asked and not self.size:
            raise UserError(f"--strategy=multi_worker needs the environment variable TF_CONFIG, such as {_EXAMPLE}")
        if self.size:
            _require_place(jobs, content.get("task"), optional=self.size == 1)
            task = content.get("task") or {}
            self._own = task.get("type"), task.get("index")
            self.own_address = self._addresses.get(self._own)  # None without a task

    def wait(self, seconds=_SECONDS, stream=None):
        """Returns when every other process of the cluster has come here; says whom it waits for after two seconds.

        TensorFlow waits where no signal reaches Python. Each process listens at its address, where TensorFlow's own
        server will be, until it has reached all others.

        Args:
          seconds: `float`, how long to wait.
          stream: text stream; `None` is `sys.stderr`.

        Raises:
          UserError: if the address is in use or somebody does not come in time.
        """
        missing = {key: address for key, address in self._addresses.items() if key != self._own}
        start = time.monotonic()
        told = start + 2.0
        with _listening(self.own_address):
            while missing := {key: address for key, address in missing.items() if not _answers(address)}:
                waited = time.monotonic() - start
                names = ", ".join(f"{job} {index} ({address})" for (job, index), address in missing.items())
                if waited > seconds:
                    raise UserError(
                        f"waited {clock(waited)} for {names}; start the same command there, with its own TF_CONFIG, and "
                        "this one again; see that the addresses can be reached from here"
                    )
                if time.monotonic() >= told:
                    print(
                        f"waiting for {names}, {clock(seconds - waited)} at most", file=stream or sys.stderr, flush=True
                    )
                    told += 30.0
                time.sleep(0.2)


@contextlib.contextmanager
def unseen():
    """Hides TF_CONFIG in this context, from what reads it and does not need it."""
    text = os.environ.pop("TF_CONFIG", None)
    try:
        yield
    finally:
        if text is not None:
            os.environ["TF_CONFIG"] = text


def _content():
    """The content of TF_CONFIG, a `dict`, in which `cluster` is a dict of lists if it is there."""
    text = os.environ.get("TF_CONFIG", "").strip() or "{}"
    try:
        content = json.loads(text)
        for addresses in (content.get("cluster") or {}).values():
            if not isinstance(addresses, list):
                raise ValueError(f"a job of the cluster has {addresses!r} in place of a list of addresses")
    except (ValueError, AttributeError) as error:  # no JSON, or no objects in it
        said = f": {error}" if isinstance(error, ValueError) else ", expected objects as in the example"
        raise UserError(f"the environment variable TF_CONFIG names no cluster{said}; an example: {_EXAMPLE}") from error
    return content


def _require_place(cluster, task, optional):
    """Refuses what `tf.distribute.MultiWorkerMirroredStrategy` cannot work with.

    Args:
      cluster: `dict` of lists, not all empty.
      task: what TF_CONFIG says of this process.
      optional: `bool`, whether the task may be missing, as the process is the only one.

    Raises:
      UserError: if the cluster has other jobs than training or addresses without a port, or this process has no place
        in it.
    """
    cluster = {job: addresses for job, addresses in cluster.items() if addresses}
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    others = [job for job in cluster if job not in ("chief", "worker")]
    incomplete = [each for addresses in cluster.values() for each in addresses if not _is_address(each)]
    if others:
        wrong = f"has the job {others[0]!r}; expected 'worker', and perhaps 'chief'"
    elif len(cluster.get("chief", ())) > 1:
        wrong = "has several chiefs; expected at most one"
    elif incomplete:
        wrong = f"has the address {incomplete[0]!r}; expected a host and its port"
    elif task is None and optional:
        return
    elif not isinstance(task, dict):
        wrong = "has no task, which says which of the processes this one is"
    elif kind not in list(cluster):  # which, unlike a dict, may be asked for anything
        wrong = f"has the task type {kind!r}; expected one of the cluster's jobs, {' or '.join(map(repr, cluster))}"
    elif type(index) is not int or not 0 <= index < len(cluster[kind]):
        wrong = f"has the task index {index!r}; expected one from 0 to {len(cluster[kind]) - 1}, a {kind}'s"
    else:
        return
    raise UserError(f"the environment variable TF_CONFIG {wrong}; an example: {_EXAMPLE}")


def _is_address(value):
    return isinstance(value, str) and re.fullmatch(r".+:\d+", value) is not None


def _split(address):
    host, port = address.rsplit(":", 1)
    return host.strip("[]"), int(port)


def _listening(address):
    """A socket at the port of an address, on all interfaces as TensorFlow's server will be."""
    port = _split(address)[1]
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot listen at {address}, the address of this process in TF_CONFIG: "
            f"{getattr(error, 'strerror', None) or error}; choose another port, or end what uses it"
        ) from error


def _answers(address):
    """Whether somebody listens at an address."""
    try:
        socket.create_connection(_split(address), timeout=1.0).close()
    except (OSError, OverflowError):
        return False
    return True
