"""Sheets of what a trained model makes of images and of nothing, each a PNG file in a folder."""

import numpy as np

# Purposes of random numbers: no two uses share a seed.
_SAMPLES, _CHOICE, _RECONSTRUCTIONS, _WORDS, _BRANCHES, _BRANCH_IMAGES, _SENT, _ARRIVED, _RECEIVED = range(9)


def samples(codec, name, out, rows, columns, seed):
    """Writes `out`/samples.png: `rows * columns` images of random words of the model `name`. Returns its path."""
    from tfcoded.pictures import sheet

    path = out / "samples.png"
    images = _generated(codec, rows * columns, seed)
    sheet(images, columns, path, heading=f"{name}: images of random words")
    return path


def reconstructions(codec, name, images, out, rows, columns, seed):
    """Writes `out`/reconstructions.png: random images, each above its reconstruction. Returns its path.

    Args:
      codec: the model.
      name: `str`, its name.
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
    heading = f"{name}: test images and their reconstructions"
    sheet(alternating, columns, path, row_titles=["original", "reconstruction"] * pairs, heading=heading)
    return path


def compared_samples(codecs, out, rows, columns, seed):
    """Writes `out`/samples.png: rows of images of random words, first those of the first model. Returns its path.

    Models with equally many information bits draw the same words.

    Args:
      codecs: `dict` from the text beside its rows to a model.
      out: `pathlib.Path` of a folder.
      rows: `int`, rows for each model.
      columns: `int`.
      seed: `int`.
    """
    from tfcoded.pictures import sheet

    drawn = [_generated(codec, rows * columns, seed) for codec in codecs.values()]
    path = out / "samples.png"
    titles = [title if row == 0 else "" for title in codecs for row in range(rows)]
    sheet(np.concatenate(drawn), columns, path, row_titles=titles, heading="images of random words")
    return path


def compared_reconstructions(codecs, images, out, columns, seed):
    """Writes random images, below them what each model makes of them, from its posterior and from words alone.

    `out`/reconstructions.png has reconstructions, of a sample of the posterior; `out`/words.png of the same images what
    their most probable words are decoded to, which is what is left of an image that was stored or sent as its word.

    Args:
      codecs: `dict` from the text beside its row to a model.
      images: `[N, H, W, C]` uint8 or float32 in [0, 1].
      out: `pathlib.Path` of a folder.
      columns: `int`, images.
      seed: `int`.

    Returns:
      list of the paths of both.
    """
    from tfcoded.metrics import as_float
    from tfcoded.pictures import sheet

    chosen = as_float(_choose(images, columns, seed))
    smoothing = _seed(seed, _RECONSTRUCTIONS)
    rows = {
        "reconstructions.png": [codec.reconstruct(chosen, smoothing) for codec in codecs.values()],
        "words.png": [codec.decode(codec.encode(chosen)["bits"], smoothing) for codec in codecs.values()],
    }
    headings = {
        "reconstructions.png": "test images and their reconstructions, from a sample of the posterior",
        "words.png": "test images and what their most probable words alone are decoded to",
    }
    for name, made in rows.items():
        images = np.concatenate([chosen, *(row["images"] for row in made)])
        sheet(images, len(chosen), out / name, row_titles=["original", *codecs], heading=headings[name])
    return [out / name for name in rows]


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

    from tfcoded.codes.codebook import all_words
    from tfcoded.metrics import as_float, most_probable_words
    from tfcoded.models import WordPosterior
    from tfcoded.pictures import sheet

    chosen = as_float(_choose(images, rows, seed))
    probabilities = codec.encode(chosen)["bit_probabilities"].numpy()
    bits = probabilities.shape[1]
    count = min(count, 2**bits)
    if config.objective.over_words:  # the bits depend on each other
        posterior = WordPosterior(config.code.build(), codec.code_logits(chosen)["logits"])
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
        for word, probability in zip(found, likelihood, strict=True):
            shown = "".join(map(str, word)) + "\n" if bits <= 16 else ""
            titles.append(f"{shown}p = {probability:.3f}")
    cells = np.concatenate([chosen.numpy()[:, np.newaxis], decoded], axis=1).reshape(-1, *chosen.shape[1:])
    ranks = ["original", "most probable", *(f"word {rank}" for rank in range(2, count + 1))]
    path = out / "words.png"
    heading = f"{config.name}: test images and their most probable words, decoded"
    sheet(cells, count + 1, path, titles, column_titles=ranks, heading=heading)
    return path


def first_branch_fixed(codec, name, branches, out, rows, columns, seed):
    """Writes `out`/m1_fixed.png: in each row one random m1, the other branches random. Returns its path.

    Figure 9 of the paper.

    Args:
      codec: the model.
      name: `str`, its name.
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
    heading = f"{name}: m1 fixed in each row, the other branches random"
    sheet(images, columns, path, row_titles=titles, heading=heading)
    return path


def prior_samples(codec, name, symbols, out, rows, columns, seed):
    """Writes `out`/samples.png: what a communication system shows when no band arrives. Returns its path.

    Args:
      codec: the system.
      name: `str`, its name.
      symbols: `int`, n.
      out: `pathlib.Path` of a folder.
      rows, columns: `int`.
      seed: `int`.
    """
    import tensorflow as tf

    from tfcoded.pictures import sheet

    nothing = tf.zeros([rows * columns, symbols])
    images = codec.receive(nothing, tf.constant(0), _seed(seed, _SAMPLES))["images"]
    path = out / "samples.png"
    sheet(images, columns, path, heading=f"{name}: no band received, all drawn from the prior")
    return path


def received(codec, name, images, bands, out, rows, columns, seed):
    """Writes `out`/reconstructions.png: random images above what arrives of them. Returns its path.

    Figure 7 of the second paper: below a row of originals stands a row for each number of bands received, the lowest
    first; where there is one band, one row. All rows share what is sent and the channel's noise.

    Args:
      codec: the system.
      name: `str`, its name.
      images: `[N, H, W, C]` uint8 or float32 in [0, 1].
      bands: `int`, T.
      out: `pathlib.Path` of a folder.
      rows: `int`, rows of the sheet; as many groups as fit, at least one.
      columns: `int`.
      seed: `int`.
    """
    import tensorflow as tf

    from tfcoded.metrics import as_float
    from tfcoded.pictures import sheet

    columns = min(columns, len(images))
    groups = min(max(1, rows // (1 + bands)), len(images) // columns)
    chosen = as_float(_choose(images, groups * columns, seed))
    sent = codec.transmit(chosen, _seed(seed, _SENT))["symbols"]
    arrived = codec.corrupt(sent, _seed(seed, _ARRIVED))["symbols"]
    shown = [chosen]
    for count in range(1, bands + 1):
        shown.append(codec.receive(arrived, tf.constant(count), _seed(seed, _RECEIVED))["images"])
    shape = chosen.shape[1:]
    rows_of = [np.asarray(batch).reshape(groups, columns, *shape) for batch in shown]
    titles = [f"{count} of {bands} bands" for count in range(1, bands + 1)] if bands > 1 else ["received"]
    path = out / "reconstructions.png"
    cells = np.stack(rows_of, axis=1).reshape(-1, *shape)
    heading = f"{name}: test images, and as they are received"
    sheet(cells, columns, path, row_titles=["original", *titles] * groups, heading=heading)
    return path


def _choose(images, count, seed):
    """`count` different images, chosen at random and in the order of the data set."""
    count = min(count, len(images))
    chosen = np.random.default_rng([seed, _CHOICE]).choice(len(images), count, replace=False)
    return images[np.sort(chosen)]


def _generated(codec, count, seed):
    """Images of random words, np.float32 `[count, h, w, c]`."""
    import tensorflow as tf

    from tfcoded.config import MOST_GENERATED
    from tfcoded.utils import seeds

    parts, seed = [], _seed(seed, _SAMPLES)
    for start in range(0, count, MOST_GENERATED):
        number = tf.constant(min(MOST_GENERATED, count - start))
        parts.append(codec.generate(number, seeds.derive(seed, start) if start else seed)["images"].numpy())
    return np.concatenate(parts)


def _seed(seed, purpose):
    from tfcoded.utils import seeds

    return seeds.derive(seed, seeds.GENERATE, purpose)
