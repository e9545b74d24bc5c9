import builtins
import io
import json
import os
import re
import socket
import threading
import time

import commands
import pytest
import tensorflow as tf

from tfcoded.training import hardware
from tfcoded.training.cluster import Cluster
from tfcoded.utils.errors import UserError


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def cluster(monkeypatch, **jobs):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 0}}))


def test_one_device_without_gpus():
    assert hardware.strategy("auto").num_replicas_in_sync == 1
    assert not isinstance(hardware.strategy("auto"), tf.distribute.MirroredStrategy)


@pytest.mark.parametrize(
    "jobs, several",
    [({"worker": ["a:1", "b:1"]}, True), ({"chief": ["a:1"], "worker": ["b:1"]}, True), ({"worker": ["a:1"]}, False)],
)
def test_auto_counts_the_machines_of_the_cluster(monkeypatch, jobs, several):
    made = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: made.append("multi_worker") or "strategy")
    monkeypatch.setattr(Cluster, "wait", lambda self: None)
    cluster(monkeypatch, **jobs)
    found = hardware.strategy("auto")
    assert (made == ["multi_worker"]) == several and (found == "strategy") == several


def ports(monkeypatch, index, count=2):
    """A cluster on free ports of this machine, of which this process is one; the addresses."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("localhost", 0))
    addresses = [f"localhost:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    content = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(content))
    return addresses


def test_all_wait_for_all(monkeypatch):
    """Three processes, here threads, that come one after the other: none leaves before the last has come."""
    count, left = 3, []

    def come(machines):
        machines.wait(seconds=30.0, stream=io.StringIO())
        left.append(time.monotonic())
        # From here on TensorFlow's server is at the address.
        with socket.create_server(("", int(machines.own_address.rsplit(":", 1)[1]))):
            done.wait(30.0)

    done = threading.Event()
    addresses = ports(monkeypatch, 0, count)
    threads = []
    for index in range(count):
        content = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(content))
        time.sleep(0.5)
        assert not left
        threads.append(threading.Thread(target=come, args=[Cluster()]))
        threads[-1].start()
    for _ in range(100):
        if len(left) < count:
            time.sleep(0.1)
    done.set()
    for thread in threads:
        thread.join()
    assert len(left) == count


def test_who_does_not_come_is_named(monkeypatch):
    own, other = ports(monkeypatch, 0)
    said = io.StringIO()
    expected = (
        rf"waited 0:03 for worker 1 \({other}\); start the same command there, with its own TF_CONFIG, and this one"
    )
    with pytest.raises(UserError, match=expected):
        Cluster().wait(seconds=2.6, stream=said)
    assert said.getvalue() == f"waiting for worker 1 ({other}), 0:01 at most\n"
    with socket.create_server(("", int(own.rsplit(":", 1)[1]))):
        with pytest.raises(
            UserError, match=f"cannot listen at {own}, the address of this process in TF_CONFIG: Address"
        ):
            Cluster().wait(seconds=2.6, stream=said)


WAITING = """
import os, signal, threading, time
from tfcoded import cli
from tfcoded.training import hardware

def main():
    def end():
        print(time.time(), flush=True)
        os.kill(os.getpid(), signal.{name})

    threading.Timer(2.5, end).start()
    hardware.strategy("auto")

cli.run(main)
"""


@pytest.mark.parametrize("name, status", [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_waiting(monkeypatch, name, status):
    _, other = ports(monkeypatch, 0)
    done = commands.run_code(WAITING.format(name=name))
    ended = time.time()
    assert done.returncode == status
    assert re.fullmatch(rf"waiting for worker 1 \({other}\), 9:5\d at most\n", done.stderr), done.stderr
    assert ended - float(done.stdout) < 3.0


def test_mistakes():
    with pytest.raises(UserError, match="unknown strategy 'two'; choose one of auto, one, mirrored, multi_worker"):
        hardware.strategy("two")
    with pytest.raises(UserError, match="needs the environment variable TF_CONFIG"):
        hardware.strategy("multi_worker")
    with pytest.raises(UserError, match="unknown dtype policy 'float16'"):
        hardware.dtype_policy("float16")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"cluster": 3}',
        '{"cluster": {"worker": 3}}',
        '{"cluster": {"worker": "a:1"}}',
    ],
)
def test_a_cluster_that_is_none(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    for name in ("auto", "multi_worker"):
        with pytest.raises(UserError, match="TF_CONFIG names no cluster.*; an example: {.cluster"):
            hardware.strategy(name)
    for name in ("one", "mirrored"):  # which need none
        assert hardware.strategy(name).num_replicas_in_sync == 1
    assert os.environ["TF_CONFIG"] == text


ONE = [
    "{}",
    '{"cluster": {}}',
    '{"cluster": null}',
    '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
    '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
    '{"cluster": {"chief": ["a:1"], "worker": []}, "task": {"type": "chief", "index": 0}}',
    '{"cluster": {"worker": ["a:1"]}}',
]


@pytest.mark.parametrize("text", ONE)
def test_one_machine_or_none_needs_no_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    for name in ("auto", "one", "mirrored", *["multi_worker"] * ("a:1" in text)):
        assert hardware.strategy(name).num_replicas_in_sync == 1
        assert not isinstance(hardware.strategy(name), tf.distribute.MultiWorkerMirroredStrategy)
    if "a:1" not in text:
        with pytest.raises(
            UserError, match="--strategy=multi_worker needs the environment variable TF_CONFIG, such as"
        ):
            hardware.strategy("multi_worker")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"task": None}, "has no task, which says which of the processes this one is"),
        ({"task": {"index": 0}}, "has the task type None; expected one of the cluster's jobs, 'worker'"),
        ({"task": {"type": "ps", "index": 0}}, "has the task type 'ps'; expected one of the cluster's jobs, 'worker'"),
        ({"task": {"type": ["worker"], "index": 0}}, r"has the task type \['worker'\]"),
        ({"task": {"type": "worker"}}, "has the task index None; expected one from 0 to 1, a worker's"),
        ({"task": {"type": "worker", "index": 2}}, "has the task index 2; expected one from 0 to 1"),
        ({"task": {"type": "worker", "index": -1}}, "has the task index -1; expected one from 0 to 1"),
        ({"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}}, "has the job 'ps'; expected 'worker'"),
        ({"cluster": {"worker": ["a:1"], "chief": ["b:1", "c:1"]}}, "has several chiefs; expected at most one"),
        ({"cluster": {"worker": ["a:1", "b"]}}, "has the address 'b'; expected a host and its port"),
        ({"cluster": {"worker": ["a:1", 3]}}, "has the address 3; expected a host and its port"),
        (
            {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}},
            "has the task index 1; expected one from 0",
        ),
        ({"cluster": {"chief": ["a:1"]}}, "has the task type 'worker'; expected one of the cluster's jobs, 'chief'"),
        ({"cluster": {"ps": ["a:1"]}}, "has the job 'ps'; expected 'worker'"),
    ],
)
def test_a_process_without_a_place_in_the_cluster(monkeypatch, changes, message):
    content = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}} | changes
    monkeypatch.setenv("TF_CONFIG", json.dumps(content))
    with pytest.raises(UserError, match=f"TF_CONFIG {message}.*; an example: {{.cluster"):
        hardware.strategy("auto")


@pytest.mark.parametrize(
    "capabilities, policy", [([(8, 0)], "mixed_bfloat16"), ([(9, 0), (7, 5)], "float32"), ([(7, 0)], "float32")]
)
def test_dtype_policy_follows_the_gpus(monkeypatch, capabilities, policy):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(capabilities))
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda capability: {"compute_capability": capability}
    )
    assert hardware.dtype_policy("auto") == policy
    assert hardware.dtype_policy("float32") == "float32"


@pytest.mark.parametrize(
    "vendor, flags, policy",
    [
        ("GenuineIntel", "avx2 avx512f", "float32"),
        ("GenuineIntel", "avx2 avx512f avx512_bf16", "float32"),  # where bfloat16 takes longer
        ("GenuineIntel", "avx2 avx512f avx512_bf16 amx_bf16 amx_tile", "mixed_bfloat16"),
        ("AuthenticAMD", "avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("AuthenticAMD", "avx2", "float32"),
    ],
)
def test_dtype_policy_follows_the_cpu(monkeypatch, tmp_path, vendor, flags, policy):
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n")
    read = builtins.open
    replaced = {"/proc/cpuinfo": tmp_path / "cpuinfo"}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(builtins, "open", lambda path, *args, **more: read(replaced.get(path, path), *args, **more))
    assert hardware.dtype_policy("auto") == policy
