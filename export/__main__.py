"""Exports the newest checkpoint of a training run, or an entry of the zoo in another storage, as a SavedModel.

    python -m export --workdir=runs/mine
    python -m export --workdir=runs/mine --out=models/mine --storage=int8
    python -m export --model=coded_8_240 --storage=float32 --out=models/coded_8_240

writes OUT/<n>, n being the next free version number, as TensorFlow Serving wants it.
"""

import pathlib
import shlex

from absl import flags

from tfcoded import cli, zoo
from tfcoded.storage import STORAGES
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define("workdir", None, "Folder of the training run.", check=for_tensorflow)
    flags.DEFINE_string("model", None, "Name of a zoo entry with weights, in place of a training run.")
    path_flags.define(
        "zoo_dir",
        None,
        f"Folder of zoo entries, for --model; default: ${zoo.ENVIRONMENT}, the clone's zoo/.",
        check=for_tensorflow,
    )
    path_flags.define(
        "out", None, "Folder of the version folders; WORKDIR/saved_model if not given.", check=for_tensorflow
    )
    flags.DEFINE_enum(
        "storage",
        "float32",
        STORAGES,
        "How kernels are stored: exactly, in half the size, in a quarter (int8, one scale per output channel), in so"
        " many bits and a quarter each (int6, int5, int4, one scale per 64 numbers), or in the bits that each"
        " kernel needs, fitted to training images (compensated, for Coded-DVAEs: the smallest that changes next to nothing).",
    )
    path_flags.define(
        "data_dir", None, "Folder of tensorflow-datasets, for --storage=compensated.", check=for_tensorflow
    )


def main():
    out = _out()
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; expected a folder")

    from tfcoded import data, families
    from tfcoded.zoo.restoring import restored_entry, restored_model
    from tfcoded.zoo.saving import export_saved_model

    model, config = restored_model(FLAGS.workdir) if FLAGS.workdir else restored_entry(FLAGS.model, FLAGS.zoo_dir)
    families.require_storage(FLAGS.storage, config)
    images = None
    if FLAGS.storage == "compensated":
        dataset = data.load(config.dataset, FLAGS.data_dir)
        dataset.require_shape(config.item_shape)
        images = dataset.train_images
    folder = export_saved_model(model, config, out, FLAGS.storage, images)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}  {size / 1e6:.1f} MB, {FLAGS.storage}")
    # In two lines: a loaded model lives only as long as it is referred to, its methods do not keep it.
    print(f"load it:  model = tf.saved_model.load({str(folder)!r})\n          {families.of(config).example}")
    arguments = ["-v", f"{out.resolve()}:/models/{config.name}", "-e", f"MODEL_NAME={config.name}"]
    print(f"serve it: docker run -p 8501:8501 {shlex.join(arguments)} tensorflow/serving")


def _out():
    """The folder of the version folders, if one source is given and exists."""
    if (FLAGS.workdir is None) == (FLAGS.model is None):
        raise UserError("expected either --workdir, a training run, or --model, an entry of the zoo")
    if FLAGS.workdir is not None:
        workdir = pathlib.Path(FLAGS.workdir)
        if not workdir.is_dir():
            raise UserError(f"--workdir {workdir} is not a folder; expected the --workdir of python -m tfcoded.train")
        return workdir / "saved_model" if FLAGS.out is None else pathlib.Path(FLAGS.out)
    folder = zoo.saved_model_path(FLAGS.model, FLAGS.zoo_dir)
    if FLAGS.out is None:
        raise UserError(f"expected --out with --model, a folder of your own: {folder.parent} stays as it is")
    return pathlib.Path(FLAGS.out)


if __name__ == "__main__":
    cli.run(main, define_flags)
