"""Writes the SavedModels of a zoo folder again, with the signatures that are exported now and the weights that they have.

    python -m export.rewrite                        # all of the zoo
    python -m export.rewrite coded_8_240 classifier_mnist --zoo_dir=models

Every stored number stays what it is, bit by bit, and so does what was measured of a model; metrics.json, the card,
the table and the index learn the new size. A model of which an output in golden.npz would change is left as it is, and named.
"""

import json
import math
import pathlib
import tempfile

from absl import flags

from export import shipping
from tfcoded import cli, zoo
from tfcoded.utils import path_flags
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow
from tfcoded.zoo import checksums

FLAGS = flags.FLAGS

_PREFIX = ".rewriting-"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # no number


def define_flags():
    path_flags.define(
        "zoo_dir",
        None,
        f"Folder of zoo entries; default: ${zoo.ENVIRONMENT}, the clone's zoo/.",
        check=for_tensorflow,
    )


def main(*names):
    zoo_dir = zoo.directory(FLAGS.zoo_dir)
    shipping.table_path(zoo_dir)  # may be refused, and is better refused before anything is written
    for name in names or [name for name in zoo.trained(zoo_dir) if (zoo_dir / name).is_dir()]:
        before, after = rewrite(name, zoo_dir)
        print(f"{name}  {before / 1e6:.2f} MB, now {after / 1e6:.2f} MB", flush=True)
    print(shipping.write_table(zoo_dir))


main.positional = math.inf


def rewrite(name, zoo_dir):
    """Writes the SavedModel of an entry, or of a classifier, again.

    Args:
      name: `str`.
      zoo_dir: `pathlib.Path` of the folder of entries that has it.

    Returns:
      Pair of `int`s, the bytes of its files before and after.

    Raises:
      UserError: if the entry has no weights, its files are not those of the index, or an output would change.
    """
    from export import card
    from tfcoded.runs import records
    from tfcoded.zoo import golden, saving

    folder = zoo.trained_path(name, zoo_dir)
    if folder.parent.parent != zoo_dir:
        raise UserError(f"{name} is not in {zoo_dir} but in {folder.parent.parent}; give that as --zoo_dir")
    loaded = zoo.load_trained(name, zoo_dir)
    made, config = _module(name, loaded, folder)
    with tempfile.TemporaryDirectory(dir=zoo_dir, prefix=_PREFIX) as temporary:
        new = pathlib.Path(temporary, "new")
        written = saving.save(made, new)
        again = zoo.load_saved_model(written)
        _require_same_numbers(folder, written)
        outputs = folder.parent / "golden.npz"
        if config is not None and outputs.is_file():
            golden.check(again, config, outputs)
        sizes = _size(folder), _size(written)
        for record in folder.parent.glob("metrics*.json"):
            content = json.loads(record.read_text(encoding="utf-8"))
            if "bytes" in content:
                (new / record.name).write_text(records.to_json(content | {"bytes": sizes[1]}), encoding="utf-8")
        checksums.exchange(zoo_dir, name, new)
    if config is not None and (folder.parent / "metrics.json").is_file():
        card.write(folder.parent)
    return sizes


def _module(name, loaded, folder):
    """What is to be saved with the weights of a loaded SavedModel, and its configuration or `None`."""
    from tfcoded import models
    from tfcoded.codec.weights import Weights
    from tfcoded.networks.classifier import FoldedClassifier
    from tfcoded.zoo import identity, saving

    if name.startswith(zoo.CLASSIFIER):
        identity.require_methods(loaded, ("classify", "kernels", "biases"), folder)
        shape = loaded.signatures["serving_default"].structured_input_signature[1]["images"].shape
        return FoldedClassifier(loaded.kernels, loaded.biases, shape[1:]), None
    config = identity.configuration_of(loaded, folder)
    model = models.build(config)
    return saving.module(model, config, Weights.of_saved_model(loaded, model)), config


def _require_same_numbers(before, after):
    """Refuses a SavedModel whose stored numbers are not those of another one, bit by bit."""
    import tensorflow as tf

    old, new = (tf.train.load_checkpoint(str(folder / "variables" / "variables")) for folder in (before, after))
    names = old.get_variable_to_shape_map().keys() | new.get_variable_to_shape_map().keys()
    for name in sorted(names - {_OBJECT_GRAPH}):
        there = old.has_tensor(name) and new.has_tensor(name)
        if not there or _bits(old.get_tensor(name)) != _bits(new.get_tensor(name)):
            raise UserError(f"{before} is left as it is: written again, it would hold another {name}")


def _bits(array):
    return array.dtype, array.shape, array.tobytes()


def _size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    cli.run(main, define_flags)
