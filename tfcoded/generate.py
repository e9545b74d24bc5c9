"""Draws sheets of what a trained model generates, reconstructs and confuses.

    python -m tfcoded.generate --model=coded_8_240 --out=pictures

writes into OUT
  samples.png          images of random words
  reconstructions.png  test images above their reconstructions
  words.png            test images, their most probable words with probabilities, and these words as images
  m1_fixed.png         hierarchical models only: the first branch's word fixed in each row, the others random
"""

import dataclasses

import numpy as np
from absl import flags

from tfcoded import cli, sources
from tfcoded.errors import UserError
from tfcoded.files import writable_folder

FLAGS = flags.FLAGS

# Purposes of random numbers: no two uses share a seed.
_SAMPLES, _CHOICE, _RECONSTRUCTIONS, _WORDS, _BRANCHES, _BRANCH_IMAGES = range(6)


def define_flags():
    sources.define_flags()
    flags.DEFINE_string("out", None, "Folder to write into.", required=True)
    flags.DEFINE_integer("rows", 8, "Rows of each sheet.", lower_bound=1)
    flags.DEFINE_integer("columns", 8, "Columns of each sheet.", lower_bound=1)
    flags.DEFINE_integer("words", 3, "Most probable words shown of each image.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_string("data_dir", None, "Folder of tensorflow-datasets.")
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
    # Loaded before anything is drawn: what can fail should fail first.
    if FLAGS.reconstructions:
        dataset = data.load(config.dataset, FLAGS.data_dir)
        dataset.require_shape(config.network.image_shape)
        images = dataset.test_images
    written = [samples(codec, out, FLAGS.rows, FLAGS.columns, FLAGS.seed)]
    if FLAGS.reconstructions:
        written.append(reconstructions(codec, images, out, FLAGS.rows, FLAGS.columns, FLAGS.seed))
        written.append(words(codec, config, images, out, FLAGS.rows, FLAGS.words, FLAGS.seed))
    branches = config.code.information_bits
    if len(branches) > 1:
        written.append(first_branch_fixed(codec, branches, out, FLAGS.rows, FLAGS.columns, FLAGS.seed))
    for path in written:
        print(path)


def samples(codec, out, rows, columns, seed):
    """Writes `out`/samples.png: `rows * columns` images of random words. Returns its path."""
    import tensorflow as tf

    from tfcoded.pictures import sheet

    images = codec.generate(tf.constant(rows * columns), _seed(seed, _SAMPLES))["images"]
    path = out / "samples.png"
    sheet(images, columns, path)
    return path


def reconstructions(codec, images, out, rows, columns, seed):
    """Writes `out`/reconstructions.png: random images, each above its reconstruction. Returns its path.

    Args:
      codec: the model.
      images: `[N, H, W, C]` uint8 or float32 in [0, 1].
      out: `pathlib.Path` of a folder.
      rows: `int`, rows of the sheet; half of them, rounded up, are rows of originals.
      columns: `int`.
      seed: `int`.
    """
    from tfcoded.metrics import as_float
    from tfcoded.pictures import sheet

    pairs = -(-rows // 2)
    columns = min(columns, len(images))
    pairs = min(pairs, len(images) // columns)
    chosen = as_float(_choose(images, pairs * columns, seed))
    reconstructed = codec.reconstruct(chosen, _seed(seed, _RECONSTRUCTIONS))["images"]
    shape = chosen.shape[1:]
    rows_of = [np.asarray(batch).reshape(pairs, columns, *shape) for batch in (chosen, reconstructed)]
    alternating = np.stack(rows_of, axis=1).reshape(-1, *shape)
    path = out / "reconstructions.png"
    sheet(alternating, columns, path, row_titles=["original", "reconstruction"] * pairs)
    return path


def words(codec, config, images, out, rows, count, seed):
    """Writes `out`/words.png: in each row an image and its most probable words, decoded. Returns its path.

    Figure 6 of the paper: below each decoded word stand the word, when it is short enough to be read, and its
    posterior probability.

    Args:
      codec: the model.
      config: its `tfcoded.config.Config`.
      images: `[N, H, W, C]` uint8 or float32 in [0, 1].
      out: `pathlib.Path` of a folder.
      rows: `int`, number of images.
      count: `int`, number of words for each; at most all `2^M` are shown.
      seed: `int`.
    """
    import tensorflow as tf

    from tfcoded import codes
    from tfcoded.codes.codebook import all_words
    from tfcoded.metrics import as_float, most_probable_words
    from tfcoded.models import WordPosterior
    from tfcoded.pictures import sheet

    chosen = as_float(_choose(images, rows, seed))
    probabilities = codec.encode(chosen)["bit_probabilities"].numpy()
    bits = probabilities.shape[1]
    count = min(count, 2**bits)
    if config.objective.kind == "reinforce_loo":  # the bits depend on each other
        code = codes.build(**dataclasses.asdict(config.code))
        posterior = WordPosterior(code, codec.code_logits(chosen)["logits"])
        likelihoods, numbers = tf.math.top_k(tf.exp(posterior.log_probabilities), count)
        best = list(zip(all_words(bits)[numbers.numpy()].astype(np.int32), likelihoods.numpy(), strict=True))
    else:
        best = [most_probable_words(p, count) for p in probabilities]
    sent = np.concatenate([word for word, _ in best])
    decoded = codec.decode(tf.constant(sent, tf.int32), _seed(seed, _WORDS))["images"].numpy()
    decoded = decoded.reshape(len(chosen), count, *chosen.shape[1:])

    titles = []
    for found, likelihood in best:
        titles.append("")
        for word, probability in zip(found, likelihood):
            shown = "".join(map(str, word)) + "\n" if bits <= 16 else ""
            titles.append(f"{shown}p = {probability:.3f}")
    cells = np.concatenate([chosen.numpy()[:, np.newaxis], decoded], axis=1).reshape(-1, *chosen.shape[1:])
    ranks = ["original", "most probable", *(f"word {rank}" for rank in range(2, count + 1))]
    path = out / "words.png"
    sheet(cells, count + 1, path, titles, column_titles=ranks)
    return path


def first_branch_fixed(codec, branches, out, rows, columns, seed):
    """Writes `out`/m1_fixed.png: in each row one random m1, the other branches random. Returns its path.

    Figure 9 of the paper.

    Args:
      codec: the model.
      branches: tuple of `int`, information bits of each branch.
      out: `pathlib.Path` of a folder.
      rows: `int`, number of m1; all different as long as there are enough.
      columns: `int`, images for each.
      seed: `int`.
    """
    import tensorflow as tf

    from tfcoded.pictures import sheet

    generator = np.random.default_rng([seed, _BRANCHES])
    rows = min(rows, 2 ** branches[0])
    first = set()
    while len(first) < rows:  # different words: two equal rows would look like an answer
        first.add(tuple(generator.integers(0, 2, branches[0]).tolist()))
    first = np.array(sorted(first))
    others = generator.integers(0, 2, [rows * columns, sum(branches[1:])])
    sent = np.concatenate([first.repeat(columns, axis=0), others], axis=1)
    images = codec.decode(tf.constant(sent, tf.int32), _seed(seed, _BRANCH_IMAGES))["images"]
    titles = ["m1 = " + "".join(map(str, word)) for word in first.tolist()]
    path = out / "m1_fixed.png"
    sheet(images, columns, path, row_titles=titles, heading="m1 fixed in each row, the other branches random")
    return path


def _choose(images, count, seed):
    """`count` different images, chosen at random and in the order of the data set."""
    count = min(count, len(images))
    chosen = np.random.default_rng([seed, _CHOICE]).choice(len(images), count, replace=False)
    return images[np.sort(chosen)]


def _seed(seed, purpose):
    from tfcoded import seeds

    return seeds.derive(seed, seeds.GENERATE, purpose)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
