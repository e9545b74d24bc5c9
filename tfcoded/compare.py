"""Draws what several trained Coded-DVAEs make of the same images, and how they learned, side by side.

    python -m tfcoded.compare --models=uncoded_8,coded_8_240 --out=pictures
    python -m tfcoded.compare --models=runs/mine,coded_8_240 --out=pictures

Each of --models is the name of a zoo entry with weights, or the --workdir of a training. Writes into OUT
  reconstructions.png  test images, below them the reconstructions of every model
  words.png            the same images, below them what every model makes of their most probable words alone
  samples.png          images of random words of every model; of as many bits, the same words
  learning_curves.png  metrics of the test images over the epochs, as in Figure 1b of the paper, of the models that
                       have a history.json beside them
"""

import os
import pathlib
import sys

from absl import flags

from tfcoded import cli, config as configuration, families, pictures, zoo
from tfcoded.runs.workdir import read_history
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder
from tfcoded.zoo import sources

FLAGS = flags.FLAGS

_PICTURES = ("reconstructions.png", "words.png", "samples.png", "learning_curves.png")
_BOUNDS = ("val_iwae", "val_vr_iwae", "val_elbo")  # what a training maximized is the first that it has


def define_flags():
    path_flags.define_list(
        "models", None, "Names of zoo entries and folders of training runs.", check=for_tensorflow, required=True
    )
    path_flags.define("out", None, "Folder to write into.", required=True)
    flags.DEFINE_integer("columns", 10, "Images in a row.", lower_bound=1)
    flags.DEFINE_integer("sample_rows", 2, "Rows of random words for each model.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything sampled.", lower_bound=0, upper_bound=2**31 - 1)
    path_flags.define("data_dir", None, "Folder of tensorflow-datasets.", check=for_tensorflow)
    path_flags.define("zoo_dir", None, f"Folder of the zoo's SavedModels; also {zoo.ENVIRONMENT}.")
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

    from tfcoded import data
    from tfcoded.pictures import of_models

    dataset = data.load(dataset_name, FLAGS.data_dir)
    codecs = {}
    for model in FLAGS.models:
        source = sources.load_run(model, FLAGS.zoo_dir) if _is_run(model) else sources.load_entry(model, FLAGS.zoo_dir)
        dataset.require_shape(source.config.item_shape)
        codecs[_title(model, source)] = source.codec
    print(*of_models.compared_reconstructions(codecs, dataset.test_images, out, FLAGS.columns, FLAGS.seed), sep="\n")
    print(of_models.compared_samples(codecs, out, FLAGS.sample_rows, FLAGS.columns, FLAGS.seed))
    _draw_curves(histories, out / "learning_curves.png")


def _is_run(model):
    """Whether it is the folder of a training; a folder may have the name of an entry by accident."""
    return (pathlib.Path(model) / "run.json").is_file()


def _config(model):
    if _is_run(model):
        return configuration.load(pathlib.Path(model) / "config.yaml")
    if os.sep in model:
        raise UserError(f"{model} holds no training; expected the --workdir of one, or the name of a zoo entry")
    return zoo.config(model, FLAGS.zoo_dir)


def _shared_dataset(configs):
    """The name of the data set that all models are of."""
    for model, config in configs.items():
        if families.of(config).name != "coded_dvae":
            raise UserError(f"{model} is {families.of(config).noun}; expected Coded-DVAEs")
    names = {config.dataset for config in configs.values()}
    if len(names) > 1:
        listed = ", ".join(f"{model} of {config.dataset}" for model, config in configs.items())
        raise UserError(f"expected models of one data set, got {listed}")
    return names.pop()


def _history(model):
    """The metrics over the epochs, a `dict`, perhaps empty; an entry without weights is refused."""
    folder = model if _is_run(model) else zoo.saved_model_path(model, FLAGS.zoo_dir).parent
    return pictures.curves(read_history(folder))


def _draw_curves(histories, path):
    """Draws what is known of the trainings, with the bounds that they maximized in one panel if these differ."""
    path.unlink(missing_ok=True)
    known = {}
    for model, history in histories.items():
        if any(name in history for name in _BOUNDS):
            known[model] = history
        else:
            print(f"no learning curve of {model}: no history.json with a bound of the test images", file=sys.stderr)
    bounds = {model: next(name for name in _BOUNDS if name in history) for model, history in known.items()}
    if len(set(bounds.values())) > 1:
        known = {
            model: {"epoch": history["epoch"], "val_bound": history[bounds[model]], **history}
            for model, history in known.items()
        }
    if known:
        pictures.compared_curves(known, path)
        print(path)


def _title(model, source):
    config = source.config
    epochs = "" if source.epochs is None else f"\n{source.epochs} epoch{'' if source.epochs == 1 else 's'}"
    return f"{model}\n{config.information_bits} bits, sent as {config.code_bits}{epochs}"


if __name__ == "__main__":
    cli.run(main, define_flags)
