"""Which devices a training uses, and in which precision."""

import json
import os

from tfcoded.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
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
    workers = _workers()
    if name == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        name = "multi_worker" if workers > 1 else "mirrored" if several else "one"
    if name == "multi_worker":
        if workers == 0:
            raise UserError(
                "--strategy=multi_worker needs the environment variable TF_CONFIG, such as "
                '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def _workers():
    """Number of workers in TF_CONFIG; 0 if it is not set."""
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return 0
    try:
        cluster = json.loads(text)["cluster"]
        return len(cluster["worker"]) + len(cluster.get("chief", ()))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"the environment variable TF_CONFIG names no cluster of workers: {error!r}") from error


def dtype_policy(name="auto"):
    """The name of the Keras dtype policy to train in.

    Args:
      name: `float32`, `mixed_bfloat16`, or `auto`: `mixed_bfloat16` where the hardware multiplies bfloat16 matrices
        faster than float32 ones (GPUs of compute capability 8 and above, CPUs with AVX512-BF16 or AMX), else
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
            features = file.read()
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in features or "amx_bf16" in features
