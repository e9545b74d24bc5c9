"""Repeats the experiments of the paper on the bandwidth-limited channel.

    python -m tfcoded.experiments bwlc_fig4 bwlc_fig8 --dataset=cifar10 --size=small --epochs=5 --out=experiments/bwlc
    python -m tfcoded.experiments bwlc_fig5 --seeds=0,1,2 --eval_images=2000 --out=experiments/bwlc

  bwlc_fig4   error of joint and separate systems over the signal-to-noise ratio, at the best beta
  bwlc_fig8   the same at every beta
  bwlc_fig5   error over the bandwidth, with a Gaussian and a learned prior
  bwlc_fig6   Fréchet distance over the bandwidth, without and with auxiliary latent variables
  bwlc_fig7   images as they arrive, over the bandwidth

An experiment trains the networks it needs in OUT/runs, measures every system once in OUT/cells, and writes into
OUT/<experiment> table.csv, table.md, claims.md, figure.png and result.json. What is done already is not done again, so
the same command continues an interrupted one, and the same command in a second process shares the work. A measured
system needs its training run no longer. A result is replaced by one of the same and more cells; by one of fewer seeds,
betas or signal-to-noise ratios only with --overwrite.
"""

import pathlib

from absl import flags

from tfcoded import cli, zoo
from tfcoded.metrics.groups import DRAWS
from tfcoded.training import hardware
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow
from tfcoded.zoo import sources

FLAGS = flags.FLAGS

EXPERIMENTS = ("bwlc_fig4", "bwlc_fig5", "bwlc_fig6", "bwlc_fig7", "bwlc_fig8")


def define_flags():
    path_flags.define("dataset", "celeba", "Name or path of the images.")
    flags.DEFINE_string("size", "base", "Size of the networks: base, small or smoke.")
    flags.DEFINE_integer("epochs", 16, "Epochs of the networks that see images.", lower_bound=1)
    flags.DEFINE_integer("channel_epochs", 5, "Epochs of the channel autoencoders.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 128, "Images per training step.", lower_bound=1)
    flags.DEFINE_multi_string("override", [], "Changes one setting of every configuration; may be repeated.")
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Everything is trained and measured with each of them.")
    flags.DEFINE_list("betas", [], "Weights of the rate; default: seven for figures 4 and 8, else the configuration's.")
    flags.DEFINE_list("snrs", ["0.01", "0.1", "1", "10", "100"], "Signal-to-noise ratios of figures 4 and 8.")
    flags.DEFINE_integer("train_images", None, "Train on the first so many images only.", lower_bound=1)
    flags.DEFINE_integer(
        "validation_images", 5000, "The last training images, kept to choose beta with.", lower_bound=1
    )
    flags.DEFINE_integer("eval_images", None, "Validation and test images to measure; default all.", lower_bound=1)
    flags.DEFINE_integer(
        "draws", DRAWS.default, "Draws of the channel per test image; twice as many over the bandwidth.", lower_bound=1
    )
    flags.DEFINE_enum("dtype_policy", "auto", hardware.DTYPE_POLICIES, "Precision of the networks in training.")
    path_flags.define("out", "experiments/bwlc", "Folder to write into.")
    path_flags.define("runs_dir", None, "Folder of the training runs; default OUT/runs.", check=for_tensorflow)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    path_flags.define("zoo_dir", None, f"Folder of the zoo; also {zoo.ENVIRONMENT}.")
    flags.DEFINE_bool("train", True, "Train and measure what is missing; otherwise say what is.")
    flags.DEFINE_bool("overwrite", False, "Replace a result that has cells which this one lacks.")
    flags.DEFINE_enum(
        "distance",
        "auto",
        ["auto", "fid", "fd_classifier"],
        "Distance of figure 6: FID, or the same between a classifier's features; auto is FID where its weights are.",
    )
    sources.define_inception_flag()


def main(*names):
    names = list(dict.fromkeys(names))
    if not names:
        raise UserError(f"expected an experiment: {', '.join(EXPERIMENTS)}")
    for name in names:
        if name not in EXPERIMENTS:
            raise UserError(f"unknown experiment {name!r}; expected one of {', '.join(EXPERIMENTS)}")

    from tfcoded.experiments import running

    out = pathlib.Path(FLAGS.out)
    running.run(names, settings(), out, FLAGS.runs_dir, FLAGS.data_dir, FLAGS.train, FLAGS.overwrite)


main.positional = len(EXPERIMENTS)


def settings():
    """The `tfcoded.experiments.plan.Settings` that the flags describe."""
    from tfcoded.experiments import plan
    from tfcoded.metrics.frechet import inception_weights

    inception = None if FLAGS.distance == "fd_classifier" else inception_weights.locate(FLAGS.inception)
    if FLAGS.distance == "fid" and inception is None:
        raise UserError(f"--distance=fid: no --inception; {inception_weights.how_to_get()}")
    return plan.Settings(
        dataset=FLAGS.dataset,
        size=FLAGS.size,
        epochs=FLAGS.epochs,
        channel_epochs=FLAGS.channel_epochs,
        batch_size=FLAGS.batch_size,
        seeds=_numbers("seeds", int),
        betas=_numbers("betas", float),
        snrs=_numbers("snrs", float),
        train_images=FLAGS.train_images,
        validation_images=FLAGS.validation_images,
        eval_images=FLAGS.eval_images,
        draws=FLAGS.draws,
        dtype_policy=hardware.dtype_policy(FLAGS.dtype_policy),
        image_shape=plan.image_shape(FLAGS.dataset, FLAGS.data_dir),
        zoo_dir=FLAGS.zoo_dir,
        inception=inception and str(inception),
        overrides=tuple(FLAGS.override),
    )


def _numbers(flag, kind):
    """The numbers of a list, in increasing order."""
    found = set()
    for text in FLAGS[flag].value:
        try:
            found.add(kind(text))
        except ValueError:
            raise UserError(f"--{flag}: {text!r} is no {'integer' if kind is int else 'number'}") from None
    wrong = [number for number in found if not 0 <= number < float("inf")]
    if wrong:
        example = "0,1,2" if kind is int else "0.1,1"
        raise UserError(f"--{flag}: {wrong[0]} is no number of at least 0; expected some such as {example}")
    if not found and flag != "betas":
        raise UserError(f"--{flag} is empty")
    return tuple(sorted(found))


if __name__ == "__main__":
    cli.run(main, define_flags)
