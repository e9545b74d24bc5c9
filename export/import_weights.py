"""Turns what `python -m export.pjrt` trained into an ordinary work directory.

    python -m export.import_weights --program=programs/coded_10_300 --weights=fetched --workdir=runs/coded_10_300
    python -m export.import_weights --program=programs/uncoded_8 --weights=runs/pjrt/uncoded_8/checkpoint.npz

`--weights` is a folder with the files `<name>.epoch200.000-of-00N.part`, or a checkpoint.npz, which also holds the optimizer's
moments. After that `python -m tfcoded.evaluate --workdir`, `python -m export --workdir` and `python -m tfcoded.train`
take the folder as if it had been trained here.
"""

import json
import pathlib
import shlex

from absl import flags

from tfcoded import cli, config as configuration
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow

FLAGS = flags.FLAGS


def define_flags():
    path_flags.define("program", None, "Folder of the programs that were trained.", required=True)
    path_flags.define("weights", None, "Folder of the result's parts, or a checkpoint.npz.", required=True)
    path_flags.define("workdir", None, "Folder of the run to make; by default runs/NAME.", check=for_tensorflow)


def main():
    program, source = pathlib.Path(FLAGS.program), pathlib.Path(FLAGS.weights)
    manifest_file = program / "manifest.json"
    try:
        manifest = json.loads(manifest_file.read_bytes())
        config = configuration.from_yaml(manifest["config"], source=str(manifest_file))
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{manifest_file} is missing or damaged: {error}") from error
    if not source.exists():
        raise UserError(f"--weights {source} does not exist; expected a folder of parts, or a checkpoint.npz")
    workdir = pathlib.Path(FLAGS.workdir or f"runs/{config.name}")

    from export.pjrt.imported_run import write_workdir

    epochs, exact = write_workdir(manifest_file, config, source, workdir)
    print(f"{workdir}  {epochs} of {config.training.epochs} epochs")
    if not exact:
        print("without the optimizer's state: more epochs would begin with moments of zero")
    run = manifest["run"]
    fixed = manifest["epochs_are_fixed"]
    left = config.training.epochs - epochs if fixed else 0
    arguments = [f"--config={workdir / 'config.yaml'}", f"--workdir={workdir}"]
    arguments += [] if fixed else [f"--epochs={epochs}"]
    arguments += [f"--{name}={run[name]}" for name in ("seed", "train_images", "dtype_policy")] + ["--strategy=one"]
    first = f"train the other {left} epochs, " if left > 0 else ""
    print(f"{first}measure and export it:  python -m tfcoded.train {shlex.join(arguments)}")


if __name__ == "__main__":
    cli.run(main, define_flags)
