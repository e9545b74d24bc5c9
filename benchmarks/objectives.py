"""Time of a training step, and its peak memory, for each objective relative to the ELBO.

    python -m benchmarks.objectives
    python -m benchmarks.objectives --models=uncoded_8,uncoded_8_iwae_100 --steps=1

The models train on the same batch of noise, each in a process of its own, so that one's memory is not another's peak.
The first model is the one the others are compared with. A step with S samples decodes S times as many z; where the
samples do not fit into `training.samples_at_once`, the decoder runs forward twice.
"""

import json
import os
import statistics
import subprocess
import sys

from absl import flags

from tfcoded import cli, families, zoo
from tfcoded.training import hardware
from tfcoded.utils.errors import UserError

FLAGS = flags.FLAGS

MODELS = (
    "uncoded_8",
    "uncoded_8_iwae_10",
    "uncoded_8_vriwae_10",
    "uncoded_8_vriwae_dr_10",
    "uncoded_8_iwae_20",
    "random_8_80",
)


def define_flags():
    flags.DEFINE_list("models", list(MODELS), "Names of configurations of Coded-DVAEs.")
    flags.DEFINE_enum("dtype_policy", "auto", hardware.DTYPE_POLICIES, "Precision of the networks.")
    flags.DEFINE_integer("steps", 3, "Timed steps of each model.", lower_bound=1)
    flags.DEFINE_string("one", None, "Measure this model alone, and print JSON.")


def measure(name, policy, steps):
    """Median seconds of a step and the process's peak memory in bytes, as a `dict`."""
    import time

    import keras
    import tensorflow as tf

    from tfcoded.models import AdamL2, CodedDVAE

    config = zoo.config(name)
    keras.config.set_dtype_policy(hardware.dtype_policy(policy))
    shape = [config.training.batch_size, *config.network.image_shape]
    images = tf.cast(tf.random.stateless_uniform(shape, [0, 1], 0, 256, tf.int32), tf.uint8)
    model = CodedDVAE.from_configuration(config)
    model.compile(AdamL2(), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()
    iterator = iter(tf.data.Dataset.from_tensors(images).cache().repeat())
    model.train_function(iterator)["loss"].numpy()  # traces
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        model.train_function(iterator)["loss"].numpy()
        seconds.append(time.perf_counter() - start)
    with open("/proc/self/status", encoding="utf-8") as status:  # getrusage would begin with the parent's peak
        peak = next(line for line in status if line.startswith("VmHWM"))
    return {"seconds": statistics.median(seconds), "bytes": 1024 * int(peak.split()[1])}


def main():
    names = [FLAGS.one] if FLAGS.one else FLAGS.models
    if not names:
        raise UserError("--models= names none; expected configurations of Coded-DVAEs, separated by commas")
    configs = [zoo.config(name) for name in names]
    for config in configs:
        if families.of(config).name != "coded_dvae":
            raise UserError(f"{config.name} is {families.of(config).noun}; expected a Coded-DVAE")
    if FLAGS.one:
        print(json.dumps(measure(FLAGS.one, FLAGS.dtype_policy, FLAGS.steps)))
        return

    from tfcoded.runs import provenance

    print(f"{provenance.hardware()}, batch {configs[0].training.batch_size}")
    first = None
    for name in names:
        command = [sys.executable, "-m", "benchmarks.objectives", f"--one={name}", f"--steps={FLAGS.steps}"]
        command.append(f"--dtype_policy={FLAGS.dtype_policy}")
        output = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True).stdout
        found = json.loads(output.splitlines()[-1])
        first = first or found
        ratio = found["seconds"] / first["seconds"]
        print(
            f"{name:24} {found['seconds']:8.2f} s/step  {ratio:6.2f} times  {found['bytes'] / 1e9:5.2f} GB", flush=True
        )


if __name__ == "__main__":
    cli.run(main, define_flags)
