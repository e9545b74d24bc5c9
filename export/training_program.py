"""Writes the training of a model as programs that run without TensorFlow, on any device that PJRT knows.

    python -m export.training_program --model=coded_10_300 --out=programs
    python -m export.training_program --model=coded_8_240,uncoded_8 --dtype_policy=mixed_bfloat16 --out=programs
    python -m export.pjrt programs/coded_10_300 --workdir=runs/pjrt           # elsewhere, with jax alone
    python -m export.import_weights --program=programs/coded_10_300 --weights=runs/pjrt/coded_10_300 \\
        --workdir=runs/coded_10_300

What is written, how it is run and what comes back: docs/pjrt.md.
"""

import types

from absl import flags

from tfcoded import cli, train
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import writable_folder

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_list("model", None, "Names of configurations; python -m tfcoded.zoo lists them.")
    train.define_configuration_flags()
    flags.DEFINE_enum("dtype_policy", "float32", ("float32", "mixed_bfloat16"), "Precision of the networks.")
    flags.DEFINE_bool(
        "tensor_float_32",
        True,
        "Whether GPUs may round the factors of float32 products to 10 bits, as TensorFlow itself lets them.",
    )
    path_flags.define("out", "programs", "Folder in which each model gets a folder.")
    path_flags.define(
        "archives",
        None,
        "Folder of the idx archives the programs will be given, if the data set has any; data/NAME in a clone.",
    )
    flags.DEFINE_integer(
        "images_mb",
        0,
        "Also write the images, in files of at most so many MB: for data sets without idx archives.",
        lower_bound=0,
    )
    flags.DEFINE_bool("overwrite", False, "Replace programs that are there; what they trained in part cannot go on.")


def chosen_configs(values):
    """The configurations that the flags describe, a list; of a separate system its two parts.

    Raises:
      UserError: if they name none, or an impossible one.
    """
    settings = {name: getattr(values, name) for name in ("override", "epochs", "batch_size", "zoo_dir", "config")}
    names = values.model or [None]
    configs = [train.chosen_config(types.SimpleNamespace(model=name, **settings)) for name in names]
    configs = [part for config in configs for part in config.parts.values() or [config]]
    if len({config.name for config in configs}) < len(configs):
        raise UserError(f"--model names a configuration twice: {','.join(names)}")
    return configs


def main():
    configs = chosen_configs(FLAGS)
    out = writable_folder(FLAGS.out)
    existing = [config.name for config in configs if (out / config.name / "manifest.json").exists()]
    if existing and not FLAGS.overwrite:
        raise UserError(f"{out} already holds programs of {', '.join(existing)}; give another --out or --overwrite")

    from export.pjrt import program_writer

    images = program_writer.ImageFiles(out, FLAGS.data_dir, FLAGS.archives, FLAGS.images_mb)
    for config in configs:
        folder = program_writer.write(
            config,
            out,
            images.described(config, FLAGS.train_images),
            seed=FLAGS.seed,
            dtype_policy=FLAGS.dtype_policy,
            tensor_float_32=FLAGS.tensor_float_32,
        )
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{folder}  {size / 1e6:.2f} MB, {FLAGS.dtype_policy}", flush=True)
    for dataset in images.left_out:
        print(
            f"{dataset}: the programs take the images from .npz files, which --images_mb writes; where idx archives "
            "will be read instead, name these with --archives"
        )


if __name__ == "__main__":
    cli.run(main, define_flags)
