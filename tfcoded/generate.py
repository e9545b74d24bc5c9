"""Draws sheets of what a trained model generates, reconstructs and confuses.

    python -m tfcoded.generate --model=coded_8_240 --out=pictures

writes into OUT
  samples.png          images of random words; of a bandwidth-limited system, what it shows when no band arrives
  reconstructions.png  test images above their reconstructions; of a system, above what arrives by each number of bands
  words.png            test images, their most probable words with probabilities, and these words as images
  m1_fixed.png         hierarchical models only: the first branch's word fixed in each row, the others random

The last two are of Coded-DVAEs.
"""

from absl import flags

from tfcoded import cli, families
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder
from tfcoded.zoo import sources

FLAGS = flags.FLAGS


def define_flags():
    sources.define_flags()
    path_flags.define("out", None, "Folder to write into.", required=True)
    flags.DEFINE_integer("rows", 8, "Rows of each sheet.", lower_bound=1)
    flags.DEFINE_integer("columns", 8, "Columns of each sheet.", lower_bound=1)
    flags.DEFINE_integer("words", 3, "Most probable words shown of each image.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    flags.DEFINE_bool("reconstructions", True, "Draw the sheets that need the data set's test images.")
    flags.DEFINE_bool("overwrite", False, "Replace existing pictures.")


def main():
    sources.check(FLAGS)
    out = writable_folder(FLAGS.out)
    names = ["samples.png", "m1_fixed.png"]
    if FLAGS.reconstructions:
        names += ["reconstructions.png", "words.png"]
    existing = [name for name in names if (out / name).exists()]
    if existing and not FLAGS.overwrite:
        raise UserError(f"{out} already holds {', '.join(existing)}; give another --out or --overwrite")

    from tfcoded import data

    codec, config, _ = sources.load(FLAGS)
    families.refuse_flags(config, FLAGS)
    # Loaded before anything is drawn: what can fail should fail first.
    images = None
    if FLAGS.reconstructions:
        dataset = data.load(config.dataset, FLAGS.data_dir)
        dataset.require_shape(config.item_shape)
        images = dataset.test_images
    shape = {"rows": FLAGS.rows, "columns": FLAGS.columns, "words": FLAGS.words}
    written = families.of(config).draw(
        codec, config, images, out, seed=FLAGS.seed, reconstructions=FLAGS.reconstructions, **shape
    )
    if not written:
        raise UserError(f"there is nothing to draw of {config.name}, {families.of(config).describe(config)}")
    for path in written:
        print(path)


if __name__ == "__main__":
    cli.run(main, define_flags)
