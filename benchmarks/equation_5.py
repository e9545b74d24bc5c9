"""What a training learns when z is drawn by the paper's equation 5 as it is printed, in float32.

    python -m benchmarks.equation_5 --model=coded_10_300 --epochs=15
    python -m benchmarks.equation_5 --model=coded_8_240 --epochs=1 --initial_weights=zoo/coded_8_240

In float32 the root of the printed quadratic cancels, for probabilities near 1 to exactly 0. The code published with the
paper (https://github.com/mariamartinezgarcia/codedVAE) caps the probability at 0.999, without a change to the gradient,
and puts 1e-6 where a difference is not positive, which leaves z = 0.967 and no gradient. This trains with such draws
as `python -m tfcoded.train` does with accurate ones, and prints both histories, the latter that of the zoo's entry,
unless the training begins with given weights. The workdir is one of `tfcoded.train`: `tfcoded.evaluate --workdir`
measures what was trained, with accurate draws. Only this command should go on with it.
"""

from unittest import mock

from absl import flags

from tfcoded import cli, families, train, zoo
from tfcoded.training import hardware
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS
_COLUMNS = ("reconstruction", "kl", "val_reconstruction", "val_kl")


def define_flags():
    flags.DEFINE_string("model", None, "Name of a Coded-DVAE.")
    train.define_configuration_flags()
    flags.DEFINE_enum("dtype_policy", "auto", hardware.DTYPE_POLICIES, "Precision of the networks.")
    path_flags.define("initial_weights", None, "Weights to begin with, as of tfcoded.train.", check=for_tensorflow)
    path_flags.define("workdir", None, "Folder of the training; by default runs/equation_5/NAME.", check=for_tensorflow)


def printed_quantile(logits, rho, beta):
    """z of the mixture's inverse CDF as equation 5 prints it, with the two guards of the published code.

    Args:
      logits: tf.float32 or tf.float64 of any shape, log-odds of the bits.
      rho: uniform numbers of that shape.
      beta: scalar tensor, inverse temperature.

    Returns:
      z, of the same shape; its derivative is that of the printed operations.
    """
    import tensorflow as tf

    q = tf.sigmoid(logits)
    q += tf.stop_gradient(tf.clip_by_value(q, 0.0, 0.999) - q)
    b = (rho + tf.exp(-beta) * (q - rho)) / (1 - q) - 1
    c = -(q * tf.exp(-beta)) / (1 - q)
    difference = tf.sqrt(b * b - 4 * c) - b
    return tf.math.log(tf.where(difference > 0, difference, 1e-6) / 2) / -beta


def main():
    from tfcoded.runs import workdir
    from tfcoded.training import loop

    config = train.chosen_config(FLAGS)
    if families.of(config).name != "coded_dvae":
        raise UserError(f"{config.name} is {families.of(config).noun}; expected a Coded-DVAE")
    accurate = {"epoch": []}
    if not FLAGS.initial_weights:
        recorded = zoo.measured_path(config.name, "history.json", FLAGS.zoo_dir)
        if recorded is None:
            raise UserError(f"{config.name} has no history in the zoo to compare with; choose an entry with weights")
        accurate = workdir.read_history(recorded.parent)
    with mock.patch("tfcoded.distributions.smoothed_bernoulli._quantile", printed_quantile):
        printed = loop.train(
            config,
            FLAGS.workdir or f"runs/equation_5/{config.name}",
            seed=FLAGS.seed,
            data_dir=FLAGS.data_dir,
            train_images=FLAGS.train_images,
            dtype_policy=FLAGS.dtype_policy,
            initial_weights=FLAGS.initial_weights,
        ).history
    print(f"{config.name}, test and training images, nats; equation 5 as printed | accurate (the zoo's)")
    print("epoch  " + "  ".join(f"{name:>23}" for name in _COLUMNS))
    for index, epoch in enumerate(printed["epoch"]):
        other = accurate["epoch"].index(epoch) if epoch in accurate["epoch"] else None
        cells = []
        for name in _COLUMNS:
            beside = f"{accurate[name][other]:10.2f}" if other is not None else f"{'-':>10}"
            cells.append(f"{printed[name][index]:10.2f} | {beside}")
        print(f"{epoch:5d}  " + "  ".join(cells))


if __name__ == "__main__":
    define_flags()
    cli.run(main)
