"""Frechet Inception distance between two sets of images.

    python -m tfcoded.fid --reference=cifar10:test --images=cifar10:train
    python -m tfcoded.fid --reference=cifar10:test --images=pictures/ --out=fid.json

A set is `NAME:PART`, a data set that tfcoded knows or the user's own file or folder of images
(tfcoded/data/files.py), and `test`, `train` or, without `:PART`, both together. The first command is a check
of the network and of the distance: it gives 3.1508, and about 3.15 is published. It takes 700 TFLOP, an hour on
two cores. What was done is written every minute to --cache, so the same command continues after an interruption, and the
statistics of a set are computed once.

The network's weights are fetched as tfcoded/metrics/frechet/inception_weights.py tells; what is measured is told in
tfcoded/metrics/frechet/distances.py.
"""

import pathlib

from absl import flags

from tfcoded import cli
from tfcoded.metrics.frechet import inception_weights
from tfcoded.runs import records
from tfcoded.utils import cache, path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder, write_atomically
from tfcoded.zoo import sources

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define("reference", None, "Set of images, such as cifar10:test.", required=True)
    path_flags.define("images", None, "Set of images, such as cifar10:train.", required=True)
    sources.define_inception_flag()
    path_flags.define("cache", None, f"Folder of statistics; default {cache.statistics()}.")
    flags.DEFINE_integer("batch_size", 50, "Images per step.", lower_bound=1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    path_flags.define("out", None, "File to write, such as fid.json; default none.")
    flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main():
    out = FLAGS.out and pathlib.Path(FLAGS.out)
    if out and out.is_dir():
        raise UserError(f"--out {out} is a folder; expected a file such as {out / 'fid.json'}")
    if out and out.exists() and not FLAGS.overwrite:
        raise UserError(f"{out} exists; give another --out or --overwrite")
    if out:
        writable_folder(out.parent)
    weights = inception_weights.locate(FLAGS.inception)
    if weights is None:
        raise UserError(f"no --inception; {inception_weights.how_to_get()}")
    kept = writable_folder(FLAGS.cache or cache.statistics())

    from tfcoded.metrics import Estimate, frechet

    reference, images = (load(name, FLAGS.data_dir) for name in (FLAGS.reference, FLAGS.images))
    distance = frechet.between(reference, images, weights, batch_size=FLAGS.batch_size, folder=kept)
    print(
        f"FID {distance:.4f}: {FLAGS.images} ({len(images):,} images) against "
        f"{FLAGS.reference} ({len(reference):,} images)"
    )
    if out:
        content = records.record(
            f"{FLAGS.images} against {FLAGS.reference}",
            {"fid": Estimate(distance, None)},
            {},
            seed=None,
            split=None,
            images=len(images),
            reference=len(reference),
        )
        write_atomically(out, records.to_json(content))
        print(f"written to {out}")


def load(name, data_dir=None):
    """A set of images.

    Args:
      name: `str`, see the module's docstring.
      data_dir: folder of tensorflow-datasets, or `None`.

    Returns:
      `[N, H, W, C]` uint8.

    Raises:
      UserError: if there is no such set.
    """
    import numpy as np

    from tfcoded import data

    dataset, colon, part = name.rpartition(":")
    if not colon:
        loaded = data.load(name, data_dir)
        return np.concatenate([loaded.train_images, loaded.test_images])
    if part not in ("train", "test"):
        raise UserError(f"{name}: unknown part {part!r}; expected {dataset}:test, {dataset}:train or {dataset}")
    loaded = data.load(dataset, data_dir)
    return loaded.test_images if part == "test" else loaded.train_images


if __name__ == "__main__":
    cli.run(main, define_flags)
