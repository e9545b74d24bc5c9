"""Error rates when the copies of a bit share their noise, as the published evaluation draws them, or have none.

    python -m benchmarks.shared_noise --model=zoo/coded_8_240

Equation 8 smooths every code bit independently, and so does training. The evaluation script published with the paper
(https://github.com/mariamartinezgarcia/codedVAE) smooths the information bits and then repeats the result. This
measures both, and what is left without smoothing, when every code bit is 0 or 1: the same words, the same encoder, the
same rates as `tfcoded.evaluate --metrics=errors`.
"""

from absl import flags

from benchmarks import restored
from tfcoded import cli
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS
_RATES = ("ber", "wer", "ber_map", "wer_map")


def define_flags():
    path_flags.define(
        "model", "zoo/coded_8_240", "Folder of a SavedModel with a repetition code.", check=for_tensorflow
    )
    flags.DEFINE_integer("runs", 50, "Runs of 1,000 words.", lower_bound=2)


def shared_noise(code, bits, beta, seed):
    """Smoothed code bits of given information bits, all copies of a bit alike.

    Args:
      code: `tfcoded.codes.Repetition`.
      bits: `[..., M]`, 0 or 1, any integer or floating dtype.
      beta: `float`, inverse temperature of the smoothing.
      seed: `int32 [2]`.

    Returns:
      z `[..., D]`, tf.float32 in [0, 1].

    Example:

    ```python
    shared_noise(codes.Repetition(2, 6), [[0, 1]], 15.0, [1, 2])  # [[.02, .02, .02, .93, .93, .93]], say
    ```
    """
    from tfcoded import codes
    from tfcoded.models import posteriors

    z = posteriors.modulate(codes.Uncoded(code.information_bits), bits, beta, seed)
    return code.soft_encode(z)  # which copies whatever it is given


def no_noise(code, bits):
    """The codewords of given information bits `[..., M]`, tf.float32 `[..., D]` of 0 and 1."""
    import tensorflow as tf

    return code.encode(tf.cast(bits, tf.float32))


class OtherNoise:
    """A codec whose words become images by `smooth : (bits, seed) -> z` and `decoder : z -> images`.

    What it draws from images is `codec`'s.
    """

    def __init__(self, codec, smooth, decoder):
        self.draw = codec.draw
        self._smooth, self._decoder = smooth, decoder

    def decode(self, bits, seed):
        return {"images": self._decoder(self._smooth(bits, seed))}


def main():
    codec, model, config = restored.coded_dvae(FLAGS.model)
    if config.code.kind != "repetition":
        raise UserError(f"--model {FLAGS.model} has no repetition code, whose copies could share their noise")

    import tensorflow as tf

    from tfcoded.metrics import protocol
    from tfcoded.runs import provenance

    decoder = tf.function(model.decode, reduce_retracing=True)
    senders = {
        "independent": codec,
        "shared": OtherNoise(codec, lambda bits, seed: shared_noise(model.code, bits, model.beta, seed), decoder),
        "none": OtherNoise(codec, lambda bits, seed: no_noise(model.code, bits), decoder),
    }
    print(f"{config.name}, {FLAGS.runs} runs of 1,000 words; {provenance.hardware()}")
    print("| noise of the copies | BER | WER | BER, MAP | WER, MAP |\n| --- | --- | --- | --- | --- |")
    for noise, sender in senders.items():
        rates = protocol.error_metrics(sender, model.code.branches, runs=FLAGS.runs)
        cells = [f"{rates[name].value:.5f} ± {rates[name].standard_error:.5f}" for name in _RATES]
        print(f"| {noise} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
