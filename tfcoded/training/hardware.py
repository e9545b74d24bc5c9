"""Which devices a training uses, and in which precision."""

from tfcoded.training import cluster
from tfcoded.utils import process
from tfcoded.utils.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
DTYPE_POLICIES = ("auto", "float32", "mixed_bfloat16")


def strategy(name="auto"):
    """The `tf.distribute.Strategy` of a name. Call it before any other TensorFlow operation.

    Args:
      name: `str`:
        `one`: the first GPU, or the CPU;
        `mirrored`: all GPUs of this machine (all logical CPUs where there is no GPU);
        `multi_worker`: all machines named in the environment variable TF_CONFIG; as `auto` if that is one;
        `auto`: `multi_worker` if TF_CONFIG names several workers, else `mirrored` if there are several GPUs, else
        `one`.

    Returns:
      A `tf.distribute.Strategy`.

    Raises:
      UserError: for another name, if TF_CONFIG is needed and not usable, or if a machine does not come within ten minutes.
    """
    import tensorflow as tf

    if name not in STRATEGIES:
        raise UserError(f"unknown strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    if name in ("auto", "multi_worker"):
        machines = cluster.Cluster(asked=name == "multi_worker")
        if machines.size > 1:
            return _multi_worker(machines)
        name = "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        with cluster.unseen():
            return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def _multi_worker(machines):
    """The strategy of a `Cluster`; waits for all of it."""
    import tensorflow as tf

    machines.wait()
    # TensorFlow keeps Python's lock while it waits for who ends now, and catches SIGTERM from here on.
    with process.ended_at_once():
        return tf.distribute.MultiWorkerMirroredStrategy()


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
