"""Encoding and decoding through a SavedModel against the model in memory.

    python -m benchmarks.saved_model --model=coded_8_240 --storage=int8

Prints milliseconds per batch and the ratio SavedModel / in memory, 1 being no overhead. The two take turns; a
ratio is the median over the turns, so that slow spells of the machine hit both. With rounded kernels it also prints
what restoring them takes, which happens once per load, against calls that would restore them every time.
"""

import statistics
import tempfile
import time

from absl import flags

from tfcoded import cli, families, zoo
from tfcoded.storage import STORAGES
from tfcoded.utils.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_string("model", "coded_8_240", "Name of a Coded-DVAE of the zoo; its weights are random here.")
    flags.DEFINE_enum("storage", "float32", STORAGES, "Storage of the SavedModel.")
    flags.DEFINE_integer("batch_size", 128, "Images or words per call.", lower_bound=1)
    flags.DEFINE_integer("turns", 20, "Measured turns.", lower_bound=1)


def main():
    config = zoo.config(FLAGS.model)
    if families.of(config).name != "coded_dvae":
        raise UserError(f"--model={FLAGS.model} is {families.of(config).noun}; expected a Coded-DVAE")

    import numpy as np
    import tensorflow as tf

    from tfcoded.models import CodedDVAE
    from tfcoded.runs import provenance
    from tfcoded.zoo.saving import export_saved_model

    model = CodedDVAE.from_configuration(config)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (FLAGS.batch_size, *config.network.image_shape), np.uint8))
    bits = tf.constant(rng.integers(0, 2, (FLAGS.batch_size, config.information_bits)), tf.int32)
    seed = tf.constant([0, 1])

    @tf.function
    def encode(images):
        return tf.sigmoid(model.information_logits(images))

    @tf.function
    def decode(bits, seed):
        return model.decode(model.modulate(bits, seed))

    with tempfile.TemporaryDirectory() as folder:
        path = export_saved_model(model, config, folder, FLAGS.storage, images)
        loaded = tf.saved_model.load(str(path))

    print(f"{config.name}, batch {FLAGS.batch_size}, storage {FLAGS.storage}; {provenance.hardware()}")
    for name, pair in {
        "encode": (lambda: encode(images), lambda: loaded.encode(images)["bit_probabilities"]),
        "decode": (lambda: decode(bits, seed), lambda: loaded.decode(bits, seed)["images"]),
    }.items():
        memory, saved, ratio = compare(*pair, FLAGS.turns)
        print(f"{name}: in memory {1e3 * memory:.1f} ms, SavedModel {1e3 * saved:.1f} ms, ratio {ratio:.3f}")
        kernels = rounded(loaded, name)
        if kernels:
            restoring = seconds(lambda: [kernel._initialize() for kernel in kernels], FLAGS.turns)
            times = (saved + restoring) / saved
            print(f"  restoring its kernels {1e3 * restoring:.1f} ms; at every call, {times:.2f} times as long")


def rounded(loaded, name):
    """The kernels that are computed when a SavedModel is loaded, of its encoder ("encode") or decoder ("decode")."""
    import tensorflow as tf

    stored = loaded._weights._stored.items()
    return [value for path, value in stored if path.startswith(name) and not isinstance(value, tf.Variable)]


def seconds(function, turns):
    """Median seconds of a function of no arguments."""
    function()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare(first, second, turns):
    """Median seconds of two functions of no arguments, called in turns, and the median of second / first."""
    pair = (first, second)
    for function in pair * 3:  # tracing, and the first calls' allocations
        function().numpy()
    times = ([], [])
    for turn in range(turns):
        for index in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            pair[index]().numpy()
            times[index].append(time.perf_counter() - start)
    ratios = [after / before for before, after in zip(*times, strict=True)]
    return statistics.median(times[0]), statistics.median(times[1]), statistics.median(ratios)


if __name__ == "__main__":
    cli.run(main, define_flags)
