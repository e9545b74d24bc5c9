"""Makes a SavedModel of a model that the code published with the Coded-DVAE's paper trained.

    git clone https://github.com/mariamartinezgarcia/codedVAE
    python -m export.published --model=coded_8_240 --out=published/coded_8_240 \
        --checkpoint=codedVAE/checkpoints/CODED_rep_fmnist_8_240_equal_enc_dcgan_dec_cnnskip_beta15.pt

PyTorch is not needed. `--model` is the zoo's name of the configuration that was trained; a wrong name with the same
networks, such as another beta, cannot be noticed. Everything here takes the result as it takes the zoo's: `python -m
tfcoded.evaluate --saved_model=published/coded_8_240` measures it, and `python -m tfcoded.train --model=coded_8_240
--initial_weights=published/coded_8_240` trains it further. The classifiers of that code are
converted too, and with `--zoo_dir=published` measure the accuracy of any model:

    python -m export.published --model=classifier_fashion_mnist --checkpoint=codedVAE/classifier_network_fmnist.pt
    python -m tfcoded.evaluate --saved_model=published/coded_8_240 --zoo_dir=published
"""

import pathlib
import shlex

from absl import flags

from tfcoded import cli, families, zoo
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS
_CLASSIFIERS = (f"{zoo.CLASSIFIER}fashion_mnist", f"{zoo.CLASSIFIER}mnist")


def define_flags():
    flags.DEFINE_string("model", None, "The zoo's name of what was trained.", required=True)
    path_flags.define("checkpoint", None, "The *.pt file of its state_dict.", required=True)
    path_flags.define("out", None, "Folder of the version folders; by default published/NAME.", check=for_tensorflow)


def main():
    checkpoint = pathlib.Path(FLAGS.checkpoint)
    out = pathlib.Path(FLAGS.out or f"published/{FLAGS.model}")
    is_classifier = FLAGS.model in _CLASSIFIERS
    config = None if is_classifier else zoo.config(FLAGS.model)
    if config and families.of(config).name != "coded_dvae":
        raise UserError(f"{config.name} is {families.of(config).noun}; expected a Coded-DVAE")
    if is_classifier and (out.name != FLAGS.model or out.exists()):
        raise UserError(f"--out {out}: expected a new folder named {FLAGS.model}, by which evaluation finds it")
    if not checkpoint.is_file():
        raise UserError(f"--checkpoint {checkpoint} is not a file; expected a *.pt of the published code")

    from export import published_weights
    from tfcoded import models
    from tfcoded.zoo import saving

    state = published_weights.read(checkpoint)
    if is_classifier:
        print(saving.save(published_weights.classifier(state), out))
        print(f"--zoo_dir={shlex.quote(str(out.parent))} makes python -m tfcoded.evaluate measure accuracies with it")
        return
    model = models.build(config)
    published_weights.assign(model, state)
    print(saving.export_saved_model(model, config, out))
    print(f"measure it:  python -m tfcoded.evaluate --saved_model={shlex.quote(str(out))}")


if __name__ == "__main__":
    cli.run(main, define_flags)
