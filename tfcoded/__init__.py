"""tfcoded: discrete VAEs with error-correcting codes, and neural communication over noisy channels."""

from tfcoded.utils import process

__version__ = "0.1.0"

process.begin_command()  # before the imports of a command, which take longer than a first Ctrl-C


def load(model, zoo_dir=None):
    """Loads a trained model.

    A SavedModel is a program, which can read and write files when it is loaded or called: load only what comes from
    where you would take a program from.

    Args:
      model: `str`, the name of an entry of the zoo or of a classifier such as `classifier_mnist`; or `str` or path, the
        folder of a SavedModel or of its version folders, such as `runs/mine/saved_model`. A name that is a folder too
        is that of the entry; write `./coded_8_240` for the folder.
      zoo_dir: `str` or path, the folder of the zoo's entries; by default as in `tfcoded.zoo.directory`.

    Returns:
      `tfcoded.zoo.loaded_model.LoadedModel`: the SavedModel with methods that take any NumPy array of the right shape.

    Raises:
      UserError: as `tfcoded.zoo.load`.

    Example:

    ```python
    model = tfcoded.load("coded_8_240")
    model.encode(np.zeros([5, 28, 28, 1]))["bits"]  # int32[5, 8]
    model.signatures["encode"]                      # the SavedModel's own
    ```
    """
    from tfcoded.zoo import loaded_model  # here, so that TensorFlow is imported for this alone

    return loaded_model.load(model, zoo_dir)
