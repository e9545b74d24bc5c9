"""Time of a training step against the same model built from stock Keras layers, and against the machine's own peak.

    python -m benchmarks.training_step
    python -m benchmarks.training_step --model=uncoded_8 --dtype_policy=mixed_bfloat16 --steps=20

Both models train on the same batch of noise in one process, a few steps of each in turn; the ratio is that of the
medians. The stock model always runs in float32. Floating-point operations are those of the layers' matrix products
(two per multiply-add, forward and twice backward), counted from their shapes.
"""

import statistics
import time

from absl import flags

from tfcoded import cli, zoo
from tfcoded.training import hardware
from tfcoded.utils.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_string("model", "coded_8_240", "Name of a configuration for 28x28x1 images.")
    flags.DEFINE_enum("dtype_policy", "auto", hardware.DTYPE_POLICIES, "Precision of the package's networks.")
    flags.DEFINE_integer("batch_size", 128, "Images per step.", lower_bound=1)
    flags.DEFINE_integer("steps", 10, "Timed steps of the package's model.", lower_bound=1)
    flags.DEFINE_integer("stock_steps", 3, "Timed steps of the stock model; 0 leaves it out.", lower_bound=0)


def multiply_adds(model, cropped=True):
    """Multiply-adds of one image through encoder and decoder, from the shapes of kernels and inputs.

    Args:
      model: a `CodedDVAE` for 28x28x1 images.
      cropped: `bool`, whether to count the taps of transposed convolutions whose results the padding crops. They belong
        to the textbook operation, but the package's layers do not compute them.
    """
    from tfcoded.networks.layers import PatchConv2D

    total = 0
    side = model.image_shape[0]
    for layer in model.encoder.convolutions:
        side = side // layer.size if isinstance(layer, PatchConv2D) else side
        total += side * side * layer.kernel.shape.num_elements()
    decoder = model.decoder
    sides = {decoder.block_1: 3, decoder.skip_1: 3, decoder.block_2: 3, decoder.skip_2: 3, decoder.block_3: 6}
    sides[decoder.block_4] = 14
    for up, side in sides.items():
        layer = up.convolution
        groups, _ = layer.tap_groups(side)
        reached = sum(len(taps) * (last - first) for taps, first, last in groups)  # along one axis
        total += layer.in_channels * layer.filters * (side * layer.size if cropped else reached) ** 2
    total += 28 * 28 * decoder.head[0].kernel.shape.num_elements()
    for dense in (model.encoder.hidden, model.encoder.head, decoder.hidden, decoder.spread):
        total += dense.kernel.shape.num_elements()
    return total


def peak(dtype, size=3072, repeats=5):
    """GFLOP/s of a square matrix product of this size, the best of `repeats`."""
    import tensorflow as tf

    a = tf.cast(tf.random.stateless_normal([size, size], [0, 1]), dtype)
    multiply = tf.function(lambda: tf.matmul(a, a))
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        multiply().numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds[1:]) / 1e9


def pipeline_seconds(batch_size, batches=200):
    """Seconds per batch of the training pipeline over as many images as Fashion-MNIST has."""
    import numpy as np

    from tfcoded import data

    images = np.zeros([60_000, 28, 28, 1], np.uint8)
    iterator = iter(data.training_pipeline(images, batch_size, seed=0, epochs=batches))
    next(iterator)
    start = time.perf_counter()
    for _ in range(batches):
        next(iterator)
    return (time.perf_counter() - start) / batches


def _stock(config):
    """The compiled model of a configuration with networks of stock Keras layers, and Keras' Adam with L2 regularization."""
    import keras

    from benchmarks import stock_keras
    from tfcoded.models import CodedDVAE

    class StockAdam(keras.optimizers.Adam):
        def apply(self, grads, trainable_variables=None):
            super().apply([g + 1e-4 * w for g, w in zip(grads, trainable_variables)], trainable_variables)

    class StockDVAE(CodedDVAE):
        def build(self, input_shape=None):
            del self.encoder, self.decoder
            self.encoder = stock_keras.encoder(config.code_bits, config.network.encoder_width)
            self.decoder = stock_keras.decoder(config.code_bits, config.network.decoder_width)
            self.built = True

    stock = StockDVAE.from_configuration(config)
    stock.compile(StockAdam(1e-4), jit_compile=False)
    stock.optimizer.build(stock.trainable_variables)
    return stock


def main():
    import keras
    import tensorflow as tf

    from tfcoded.models import AdamL2, CodedDVAE
    from tfcoded.runs import provenance

    config = zoo.config(FLAGS.model)
    if config.network.image_shape != (28, 28, 1):
        raise UserError(f"--model={FLAGS.model} has no stock counterpart; choose one for 28x28x1 images")
    policy = hardware.dtype_policy(FLAGS.dtype_policy)
    images = tf.cast(tf.random.stateless_uniform([FLAGS.batch_size, 28, 28, 1], [0, 1], 0, 256, tf.int32), tf.uint8)
    dataset = tf.data.Dataset.from_tensors(images).cache().repeat()

    def step_of(model):
        model.make_train_function()
        iterator = iter(dataset)
        return lambda: model.train_function(iterator)["loss"].numpy()

    keras.config.set_dtype_policy(policy)
    ours = CodedDVAE.from_configuration(config)
    ours.compile(AdamL2(), jit_compile=False)
    ours.optimizer.build(ours.trainable_variables)
    steps = {"tfcoded": (step_of(ours), FLAGS.steps)}
    keras.config.set_dtype_policy("float32")
    if FLAGS.stock_steps:
        steps["stock Keras"] = (step_of(_stock(config)), FLAGS.stock_steps)

    # In turns, so that what else the machine does slows both.
    seconds = {name: [] for name in steps}
    for step, _ in steps.values():
        step()  # traces
        step()
    for turn in range(max(count for _, count in steps.values())):
        for name, (step, count) in steps.items():
            if turn < count:
                start = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - start)

    flop, executed = (6 * multiply_adds(ours, cropped) * FLAGS.batch_size for cropped in (True, False))
    dtype = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    best = peak(dtype)
    pipeline = pipeline_seconds(FLAGS.batch_size)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    rate, nominal = executed / median["tfcoded"] / 1e9, flop / median["tfcoded"] / 1e9
    print(
        f"{FLAGS.model}, batch {FLAGS.batch_size}, {provenance.hardware()}: {flop / 1e9:.1f} GFLOP per step as textbook "
        f"layers, {executed / 1e9:.1f} executed"
    )
    print(f"tfcoded, {policy}: {median['tfcoded']:.3f} s/step (best {min(seconds['tfcoded']):.3f})")
    print(f"    {rate:.0f} GFLOP/s executed, {nominal:.0f} GFLOP/s counted as textbook layers")
    print(f"matrix product, {dtype}: {best:.0f} GFLOP/s; the step reaches {100 * rate / best:.0f}% of it")
    print(f"input pipeline: {1e3 * pipeline:.2f} ms per batch, {100 * pipeline / median['tfcoded']:.2f}% of the step")
    if FLAGS.stock_steps:
        print(f"stock Keras, float32: {median['stock Keras']:.3f} s/step")
        print(f"ratio stock / tfcoded: {median['stock Keras'] / median['tfcoded']:.2f}")


if __name__ == "__main__":
    cli.run(main, define_flags)
