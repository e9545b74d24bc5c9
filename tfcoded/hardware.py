"""Which devices a training uses, and in which precision."""

import json
import os
import re

from tfcoded.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
_EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
DTYPE_POLICIES = ("auto", "float32", "mixed_bfloat16")


def strategy(name="auto"):
    """The `tf.distribute.Strategy` of a name. Call it before any other TensorFlow operation.

    Args:
      name: `str`:
        `one`: the first GPU, or the CPU;
        `mirrored`: all GPUs of this machine (all logical CPUs where there is no GPU);
        `multi_worker`: all machines named in the environment variable TF_CONFIG;
        `auto`: `multi_worker` if TF_CONFIG names several workers, else `mirrored` if there are several GPUs, else
        `one`.

    Returns:
      A `tf.distribute.Strategy`.

    Raises:
      UserError: for another name, or if `multi_worker` is asked for without a usable TF_CONFIG.

    Example:

    ```python
    with strategy("mirrored").scope():
        model = CodedDVAE(...)
    ```
    """
    import tensorflow as tf

    if name not in STRATEGIES:
        raise UserError(f"unknown strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    content = _tf_config()
    if name == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        name = "multi_worker" if sum(map(len, content["cluster"].values())) > 1 else "mirrored" if several else "one"
    if name == "multi_worker":
        _require_task(content)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def _tf_config():
    """The content of TF_CONFIG, a `dict` in which `cluster` gives the addresses of each job; of none if it is not set.

    Raises:
      UserError: if it names no such cluster.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return {"cluster": {}}
    try:
        content = json.loads(text)
        cluster = content["cluster"]
        if not cluster["worker"] or not all(isinstance(addresses, list) for addresses in cluster.values()):
            raise ValueError("a job without a list of addresses")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the environment variable TF_CONFIG names no cluster of workers: {error!r}") from error
    return content


def _require_task(content):
    """Refuses what `tf.distribute.MultiWorkerMirroredStrategy` cannot work with.

    Args:
      content: what `_tf_config` returns.

    Raises:
      UserError: if there is no cluster, or it has other jobs than training or addresses without a port, or this
        process has no place in it.
    """
    cluster, task = content["cluster"], content.get("task")
    if not cluster:
        raise UserError(f"--strategy=multi_worker needs the environment variable TF_CONFIG, such as {_EXAMPLE}")
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    others = [job for job in cluster if job not in ("chief", "worker")]
    incomplete = [each for addresses in cluster.values() for each in addresses if not _is_address(each)]
    if others:
        wrong = f"has the job {others[0]!r}; expected 'worker', and perhaps 'chief'"
    elif len(cluster.get("chief", ())) > 1:
        wrong = "has several chiefs; expected at most one"
    elif incomplete:
        wrong = f"has the address {incomplete[0]!r}; expected a host and its port"
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


def dtype_policy(name="auto"):
    """The name of the Keras dtype policy to train in.

    Args:
      name: `float32`, `mixed_bfloat16`, or `auto`: `mixed_bfloat16` where the hardware multiplies bfloat16 matrices
        faster than float32 ones (GPUs of compute capability 8 and above, CPUs with AMX, AMD's with AVX512-BF16), else
        `float32`.

    Returns:
      `"float32"` or `"mixed_bfloat16"`.

    Raises:
      UserError: for another name.
    """
    if name not in DTYPE_POLICIES:
        raise UserError(f"unknown dtype policy {name!r}; choose one of {', '.join(DTYPE_POLICIES)}")
    if name != "auto":
        return name
    return "mixed_bfloat16" if _fast_bfloat16() else "float32"


def _fast_bfloat16():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(detail.get("compute_capability", (0, 0))[0] >= 8 for detail in details)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return _cpu_has_fast_bfloat16(file.read())
    except OSError:  # not Linux
        return False


def _cpu_has_fast_bfloat16(cpuinfo):
    """Whether the CPU of this content of /proc/cpuinfo multiplies bfloat16 matrices faster than float32 ones.

    GFLOP/s of two cores in a product of 2048x2048 matrices, bfloat16 and float32: AMD EPYC with AVX512-BF16 about 400 and
    150 to 210, Intel Xeon with AMX 1148 and 284, the same without AMX (hidden from oneDNN) 194 and 321.
    """
    return "amx_bf16" in cpuinfo or ("AuthenticAMD" in cpuinfo and "avx512_bf16" in cpuinfo)
