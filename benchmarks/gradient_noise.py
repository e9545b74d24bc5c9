"""How much of a gradient's noise comes from drawing z, and how much from drawing images.

    python -m benchmarks.gradient_noise --model=zoo/coded_8_240
    python -m benchmarks.gradient_noise --model=runs/mine/saved_model --batches=20 --draws=10

The gradient of the ELBO from one sample is computed for several batches of training images, each with several draws of
z. Its variance, summed over the weights of a part, is that within a batch, w, plus that between batches, b. With S
samples of z per image it would be w / S + b: `objective.samples` can take away no more than w. Adam divides by the root
of the mean square, which is this variance plus the squared mean, m: that root tells how much farther a step would go
along the mean gradient, taking all weights of a part together.
"""

from absl import flags

from benchmarks import restored
from tfcoded import cli
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS

_SAMPLES = 10  # for which the change is printed


def define_flags():
    path_flags.define("model", "zoo/coded_8_240", "Folder of a SavedModel of a Coded-DVAE.", check=for_tensorflow)
    flags.DEFINE_integer("batches", 8, "Batches of training images.", lower_bound=3)
    flags.DEFINE_integer("draws", 6, "Draws of the noise for each.", lower_bound=2)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)


def of_batch(draws):
    """The mean gradient of a batch, and the variance of its draws summed over the weights: `draws`, arrays `[n]`."""
    import numpy as np

    mean = sum(draws) / len(draws)
    return mean, sum(float(np.vdot(draw - mean, draw - mean)) for draw in draws) / (len(draws) - 1)


def moments(means, within, draws):
    """Variance within and between batches and the squared mean, summed over the weights, unbiased.

    Args:
      means: list of K arrays `[n]`, the mean gradient of each batch.
      within: list of K `float`, the variance of the draws in each batch.
      draws: `int`, how many a mean was made of.

    Returns:
      w, b and m, `np.float64 [K + 1]`: of all batches, and then with each of them left out.

    Example:

    ```python
    batches = [of_batch(np.array(draws)) for draws in ([[0.0], [2.0]], [[4.0], [6.0]], [[8.0], [10.0]])]
    within, between, square = moments(*zip(*batches), draws=2)
    within[0], between[0], square[0]  # 2.0, 15.0, 19.666...: 5 squared less the variance of the mean, 16 / 3
    ```
    """
    import numpy as np

    products = np.array([[np.vdot(one, other) for other in means] for one in means], np.float64)
    found = []
    for left in (None, *range(len(means))):
        kept = [place for place in range(len(means)) if place != left]
        inside = np.mean([within[place] for place in kept])
        chosen = products[np.ix_(kept, kept)]
        square = chosen.sum() / len(kept) ** 2
        spread = (np.trace(chosen) - len(kept) * square) / (len(kept) - 1)
        found.append((inside, spread - inside / draws, square - spread / len(kept)))
    return np.array(found).T


def with_error(values):
    """The value of all batches and its standard error, by the jackknife: `values : [K + 1]` as from `moments`."""
    import numpy as np

    left_out = values[1:]
    return values[0], np.sqrt((len(left_out) - 1) * np.var(left_out))


def main():
    _, model, config = restored.coded_dvae(FLAGS.model)
    if (config.objective.kind, config.objective.samples) != ("elbo", 1):
        raise UserError(f"--model {FLAGS.model} was not trained with the ELBO from one sample")

    import numpy as np
    import tensorflow as tf

    from tfcoded import data
    from tfcoded.runs import provenance
    from tfcoded.utils import progress

    size = config.training.batch_size
    images = data.load(config.dataset, FLAGS.data_dir).train_images
    if FLAGS.batches * size > len(images):
        raise UserError(f"--batches={FLAGS.batches}: {config.dataset} has {len(images)} images, batches have {size}")

    @tf.function(autograph=False)
    def gradient(batch, seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.training_terms(batch, seed)["loss"])
        return tape.gradient(loss, model.trainable_weights)

    parts = {"encoder": len(model.encoder.trainable_weights), "decoder": len(model.decoder.trainable_weights)}
    found = {part: [] for part in parts}
    for number in progress.progress(range(FLAGS.batches), "batches", FLAGS.batches):
        batch = tf.constant(images[number * size : (number + 1) * size])
        draws = [gradient(batch, tf.constant([number, draw], tf.int32)) for draw in range(FLAGS.draws)]
        first = 0
        for part, count in parts.items():
            vectors = [np.concatenate([np.ravel(tensor) for tensor in draw[first : first + count]]) for draw in draws]
            found[part].append(of_batch(vectors))
            first += count
    print(f"{config.name}, {FLAGS.batches} batches of {size}, {FLAGS.draws} draws each; {provenance.hardware()}")
    print(f"| | of the variance, from drawing z | root mean square, 1 sample by {_SAMPLES} |\n| --- | --- | --- |")
    for part, batches in found.items():
        within, *others = moments(*zip(*batches), draws=FLAGS.draws)
        between, square = np.maximum(others, 0.0)  # unbiased estimates may be negative, what they estimate is not
        share = with_error(within / (within + between))
        rest = between + square
        ratio = with_error(np.sqrt((within + rest) / (within / _SAMPLES + rest)))
        print("| {} | {:.3f} ± {:.3f} | {:.2f} ± {:.2f} |".format(part, *share, *ratio), flush=True)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
