"""What a channel costs in a training step, and what averaging over all bandwidths costs.

    python -m benchmarks.channels
    python -m benchmarks.channels --size=base --batch_size=32

Two ratios, each of medians of steps that take turns in one process, on a batch of noise:

* a step that averages over all T bandwidths (encoder and channel once, the decoder once on T stacked copies) against
  one that draws a bandwidth for every image, which runs everything once. It should be less than T.
* a step with a Gaussian channel and nothing lost against one in which the channel is the identity.
"""

import statistics
import time

from absl import flags

from tfcoded import cli, config as configuration, zoo
from tfcoded.utils.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_string("size", "small", "Size of the networks: base, small or smoke.")
    flags.DEFINE_integer("batch_size", 128, "Images per step.", lower_bound=1)
    flags.DEFINE_integer("steps", 10, "Timed steps of each.", lower_bound=1)


def step(name, changes, silent=False):
    """A function that takes one training step of a configuration with changes.

    Args:
      name: `str`, an entry of the zoo.
      changes: list of overrides.
      silent: `bool`, whether what is sent arrives as it is: neither noise nor a normalisation of the power.
    """
    import tensorflow as tf

    from tfcoded import models

    changes = [f"size={FLAGS.size}", f"batch_size={FLAGS.batch_size}", *changes]
    config = configuration.override(zoo.config(name), changes)
    model = models.build(config)
    model.compile(models.optimizer(config), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    if silent:
        model.channel.call = identity
    shape = [FLAGS.batch_size, *config.network.image_shape]
    images = tf.cast(tf.random.stateless_uniform(shape, [0, 1], 0, 256, tf.int32), tf.uint8)
    function = tf.function(model.train_step, autograph=False)
    return lambda: function(images)["loss"].numpy()


def identity(mu, log_sig, seed=None, training=False, filler=None):
    """In the place of `BandwidthLimitedChannel.call`: everything arrives."""
    import tensorflow as tf

    sent = {"mu": mu, "sig": tf.exp(log_sig), "noise_std": tf.constant(1.0)}
    return sent | {"y": mu, "z": mu, "received": mu, "decoder_input": mu, "weights": tf.ones([1])}


def compare(first, second):
    """Median seconds of two functions, which are called in turn; the first call of each traces."""
    seconds = {first: [], second: []}
    for _ in range(1 + FLAGS.steps):
        for function, found in seconds.items():
            start = time.perf_counter()
            function()
            found.append(time.perf_counter() - start)
    return [statistics.median(found[1:]) for found in seconds.values()]


def main():
    if FLAGS.size not in ("base", "small", "smoke"):
        raise UserError(f"--size={FLAGS.size}: expected base, small or smoke")

    from tfcoded.runs import provenance

    print(f"{provenance.hardware()}, networks of size {FLAGS.size}, batch {FLAGS.batch_size}")
    bands = zoo.config("bwlc_prior_gaussian").channel.bands
    drawn = step("bwlc_prior_gaussian", ["marginalise=mc"])
    complete = step("bwlc_prior_gaussian", ["marginalise=complete"])
    once, all_of_them = compare(drawn, complete)
    print(
        f"all {bands} bandwidths {all_of_them:.3f} s/step, one drawn {once:.3f} s/step: "
        f"{all_of_them / once:.2f} times (less than {bands} wanted)"
    )
    bare, noisy = compare(step("bwlc_joint_snr1", [], silent=True), step("bwlc_joint_snr1", []))
    print(f"Gaussian channel {noisy:.4f} s/step, no channel {bare:.4f} s/step: {100 * (noisy / bare - 1):+.1f}%")


if __name__ == "__main__":
    cli.run(main, define_flags)
