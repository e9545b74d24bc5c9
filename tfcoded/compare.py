"""Draws what several trained Coded-DVAEs make of the same images, and how they learned, side by side.

    python -m tfcoded.compare --models=uncoded_8,coded_8_240 --out=pictures
    python -m tfcoded.compare --models=runs/mine,coded_8_240 --out=pictures

Each of --models is the name of a zoo entry with weights, or the --workdir of a training. Writes into OUT
  reconstructions.png  test images, below them the reconstructions of every model
  samples.png          images of random words of every model; of as many bits, the same words
  learning_curves.png  the metrics of the test images over the epochs, as in Figure 1b of the paper
"""

import json
import pathlib

from absl import flags

from tfcoded import cli, kinds, pictures, sources, zoo
from tfcoded import config as configuration
from tfcoded.errors import UserError
from tfcoded.files import writable_folder

FLAGS = flags.FLAGS

_PICTURES = ("reconstructions.png", "samples.png", "learning_curves.png")


def define_flags():
    flags.DEFINE_list("models", None, "Names of zoo entries and folders of training runs.", required=True)
    flags.DEFINE_string("out", None, "Folder to write into.", required=True)
    flags.DEFINE_integer("columns", 10, "Images in a row.", lower_bound=1)
    flags.DEFINE_integer("sample_rows", 2, "Rows of random words for each model.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    flags.DEFINE_string("data_dir", None, "Folder of tensorflow-datasets.")
    flags.DEFINE_string("zoo_dir", None, f"Folder of the zoo's SavedModels; also {zoo.ENVIRONMENT}.")
    flags.DEFINE_bool("overwrite", False, "Replace existing pictures.")


def main():
    if not FLAGS.models or len(set(FLAGS.models)) < len(FLAGS.models):
        raise UserError(f"--models={','.join(FLAGS.models)}: expected different models, separated by commas")
    dataset_name = _shared_dataset({model: _config(model) for model in FLAGS.models})
    histories = {model: _history(model) for model in FLAGS.models}
    out = writable_folder(FLAGS.out)
    existing = [name for name in _PICTURES if (out / name).exists()]
    if existing and not FLAGS.overwrite:
        raise UserError(f"{out} already holds {', '.join(existing)}; give another --out or --overwrite")

    from tfcoded import data, sheets

    dataset = data.load(dataset_name, FLAGS.data_dir)
    codecs = {}
    for model in FLAGS.models:
        source = sources.load_run(model) if _is_run(model) else sources.load_entry(model, FLAGS.zoo_dir)
        dataset.require_shape(source.config.item_shape)
        codecs[_title(model, source)] = source.codec
    print(sheets.compared_reconstructions(codecs, dataset.test_images, out, FLAGS.columns, FLAGS.seed))
    print(sheets.compared_samples(codecs, out, FLAGS.sample_rows, FLAGS.columns, FLAGS.seed))
    pictures.compared_curves(histories, out / "learning_curves.png")
    print(out / "learning_curves.png")


def _is_run(model):
    """Whether it is the folder of a training; a folder may have the name of an entry by accident."""
    return (pathlib.Path(model) / "run.json").is_file()


def _config(model):
    if _is_run(model):
        return configuration.load(pathlib.Path(model) / "config.yaml")
    return zoo.config(model, FLAGS.zoo_dir)


def _shared_dataset(configs):
    """The name of the data set that all models are of."""
    for model, config in configs.items():
        if kinds.of(config).name != "coded_dvae":
            raise UserError(f"{model} is {kinds.of(config).noun}; expected Coded-DVAEs")
    names = {config.dataset for config in configs.values()}
    if len(names) > 1:
        listed = ", ".join(f"{model} of {config.dataset}" for model, config in configs.items())
        raise UserError(f"expected models of one data set, got {listed}")
    return names.pop()


def _history(model):
    """The metrics over the epochs; an entry without weights is refused."""
    folder = pathlib.Path(model) if _is_run(model) else zoo.saved_model_path(model, FLAGS.zoo_dir).parent
    path = folder / "history.json"
    try:
        history = pictures.curves(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist, so there are no learning curves to draw") from error
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error})") from error
    if not any(name.startswith("val_") for name in history):
        raise UserError(f"{path} has no metric of the test images, so there are no learning curves to draw")
    return history


def _title(model, source):
    config = source.config
    epochs = "" if source.epochs is None else f"\n{source.epochs} epoch{'' if source.epochs == 1 else 's'}"
    return f"{pathlib.Path(model).name}\n{config.information_bits} bits, sent as {config.code_bits}{epochs}"


if __name__ == "__main__":
    define_flags()
    cli.run(main)
