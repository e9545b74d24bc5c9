"""Trains a model further with the code published with the paper.

    git clone https://github.com/mariamartinezgarcia/codedVAE && pip install torch
    python -m benchmarks.published_training --code=codedVAE --model=zoo/coded_8_240 --out=runs/published_code

That code's networks and loss, as they are, and PyTorch's Adam, whose moments begin with zero, with the settings of the
model's configuration. After each epoch a SavedModel is written, OUT/1, OUT/2, ..., which `python -m tfcoded.evaluate
--saved_model=OUT/1` measures. An interrupted training cannot go on; choose another OUT.
"""

import pathlib

from absl import flags

from benchmarks import published_code
from tfcoded import cli
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define("code", None, "Folder of the published code.", required=True)
    path_flags.define("model", "zoo/coded_8_240", "Folder of a SavedModel of a Coded-DVAE.", check=for_tensorflow)
    flags.DEFINE_integer("epochs", 1, "Epochs.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Of the order of the images and the noise.", lower_bound=0)
    flags.DEFINE_integer("train_images", None, "Only the first so many training images.", lower_bound=1)
    path_flags.define("out", None, "Folder of the SavedModels.", required=True, check=for_tensorflow)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)


def main():
    out = pathlib.Path(FLAGS.out)
    if out.exists():
        raise UserError(f"--out {out} exists; choose another folder")
    model, config = published_code.prepared(FLAGS.code, FLAGS.model)
    writable_folder(out)  # what cannot be written is told before an epoch is trained

    import torch

    from tfcoded import data
    from tfcoded.utils import progress
    from tfcoded.zoo.saving import export_saved_model

    settings = config.training
    images = data.first_images(data.load(config.dataset, FLAGS.data_dir), FLAGS.train_images)
    encoder, decoder, triples = published_code.networks(model, config)
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.l2)
        for network in (encoder, decoder)
    ]
    torch.manual_seed(FLAGS.seed)
    for epoch in range(1, FLAGS.epochs + 1):
        batches = torch.randperm(len(images)).split(settings.batch_size)
        total = 0.0
        for batch in progress.progress(batches, f"epoch {epoch} of {FLAGS.epochs}", len(batches)):
            for optimizer in optimizers:
                optimizer.zero_grad()
            elbo = published_code.elbo(config, published_code.pixels(images[batch.numpy()]), encoder, decoder)
            (-elbo).backward()
            for optimizer in optimizers:
                optimizer.step()
            total += elbo.item() * len(batch)
        for parameter, variable, arranged in triples:
            variable.assign(arranged(parameter.detach().numpy()))
        folder = export_saved_model(model, config, out)
        print(f"epoch {epoch}: elbo {total / len(images):.2f} nats; {folder}", flush=True)


if __name__ == "__main__":
    define_flags()
    cli.run(main)
