"""Reconstructions when a branch's code bits come from its own evidence alone, as the published evaluation takes them.

    python -m benchmarks.branch_evidence --model=zoo/hier_5_100

Equations 16 and 17 encode the posterior of the information bits again, and so does training: the code bits of branch 2
follow from q(m_1 | x) and q(m_2 | x). The evaluation script published with the paper
(https://github.com/mariamartinezgarcia/codedVAE) computes them and then takes what the copies of branch 2 alone say.
This measures both: the same images and noise, the same metrics as `tfcoded.evaluate --metrics=reconstruction`.
"""

from absl import flags

from benchmarks import restored
from tfcoded import cli
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS
_METRICS = ("psnr", "ssim", "accuracy")


def define_flags():
    path_flags.define(
        "model", "zoo/hier_5_100", "Folder of a SavedModel with a hierarchical code.", check=for_tensorflow
    )
    flags.DEFINE_integer("images", 10_000, "Measure on the first so many test images.", lower_bound=2)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)


def branch_evidence(code, code_logits):
    """The posterior of what each branch carries, given that branch alone.

    Args:
      code: `tfcoded.codes.Hierarchical`.
      code_logits: `[b, D]`, tf.float32, the encoder's logits of the code bits.

    Returns:
      `tfcoded.models.posteriors.BitPosterior`, whose `latents` are smoothed code bits of the branches' own claims.
    """
    from tfcoded import codes
    from tfcoded.models import posteriors

    # Without the exclusive or, each branch is a repetition code of its own.
    return posteriors.BitPosterior(codes.Hierarchical(code.branches, code.branch_code_bits, polar=False), code_logits)


class BranchEvidence:
    """A codec that reconstructs from the branches' own claims; all else is `codec`'s."""

    def __init__(self, codec, model):
        import tensorflow as tf

        self.encode, self.elbo = codec.encode, codec.elbo
        self._model = model
        self._images = tf.function(self._images, reduce_retracing=True)

    def reconstruct(self, images, seed):
        return {"images": self._images(images, seed)}

    def _images(self, images, seed):
        posterior = branch_evidence(self._model.code, self._model.code_logits(images))
        return self._model.decode(posterior.latents(self._model.beta, seed))


def main():
    codec, model, config = restored.coded_dvae(FLAGS.model)
    if config.code.kind != "hierarchical":
        raise UserError(f"--model {FLAGS.model} has no hierarchical code, whose branches could know of each other")

    from tfcoded import data
    from tfcoded.metrics import estimate, protocol
    from tfcoded.runs import provenance
    from tfcoded.zoo import sources

    dataset = data.load(config.dataset, FLAGS.data_dir)
    dataset.require_shape(config.item_shape)
    images, labels = dataset.test_images[: FLAGS.images], dataset.test_labels
    labels = None if labels is None else labels[: FLAGS.images]
    classifier = sources.load_classifier(config.dataset)
    again, alone = (
        protocol.reconstruction_samples(each, images, labels, classifier)
        for each in (codec, BranchEvidence(codec, model))
    )
    names = [name for name in _METRICS if name in again]
    print(f"{config.name}, {len(images):,} test images; {provenance.hardware()}")
    print(f"| code bits of a branch | {' | '.join(names)} |\n| --- |{' --- |' * len(names)}")
    for title, values in (
        ("encoded again", again),
        ("from its own evidence", alone),
        # Of the same images with the same noise, so better known than either.
        ("difference", {name: alone[name].astype(float) - again[name] for name in names}),
    ):
        print(f"| {title} | {' | '.join(_cell(*estimate(values[name])) for name in names)} |")


def _cell(value, error):
    # The PSNR of a single batch has no standard error.
    return f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"


if __name__ == "__main__":
    define_flags()
    cli.run(main)
