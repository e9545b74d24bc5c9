import builtins
import json

import pytest
import tensorflow as tf

from tfcoded import hardware
from tfcoded.errors import UserError


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def cluster(monkeypatch, **jobs):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 0}}))


def test_one_device_without_gpus():
    assert hardware.strategy("auto").num_replicas_in_sync == 1
    assert not isinstance(hardware.strategy("auto"), tf.distribute.MirroredStrategy)


@pytest.mark.parametrize(
    "jobs, several", [({"worker": ["a:1", "b:1"]}, True), ({"chief": ["a:1"], "worker": ["b:1"]}, True), ({"worker": ["a:1"]}, False)]
)
def test_auto_counts_the_machines_of_the_cluster(monkeypatch, jobs, several):
    made = []
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: made.append("multi_worker") or "strategy")
    cluster(monkeypatch, **jobs)
    found = hardware.strategy("auto")
    assert (made == ["multi_worker"]) == several and (found == "strategy") == several


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
        '{"cluster": {}}',
        '{"cluster": {"worker": 3}}',
        '{"cluster": {"worker": []}}',
        '{"cluster": {"worker": "a:1"}}',
    ],
)
def test_a_cluster_that_is_none(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG names no cluster"):
        hardware.strategy("auto")


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
