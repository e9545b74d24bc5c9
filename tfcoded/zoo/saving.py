"""SavedModels of trained models: from a work directory or a model in memory to a version folder."""

from tfcoded import families
from tfcoded.codec.saving import save


def module(model, config, storage="float32", images=None):
    """What a SavedModel of a model holds: `CodedDVAEModule` or `SystemModule`, whose arguments these are."""
    return families.of(config).module(model, config, storage, images)


def export_saved_model(model, config, out, storage="float32", images=None):
    """Writes a SavedModel with named signatures into the next free version folder, `<out>/1` at first.

    A process that loads it needs TensorFlow and nothing else. The folder appears under its name only once it
    is complete, as TensorFlow Serving, which may be watching `out`, expects; an existing version is never
    touched.

    Args:
      model: a built model of `tfcoded.models`.
      config: its configuration.
      out: `str` or path: the folder of the version folders; created if missing.
      storage: one of `tfcoded.storage.STORAGES`; see `tfcoded.codec.weights.Weights`.
      images: training images, `[N, h, w, c]`, for the storage `"compensated"`.

    Returns:
      `pathlib.Path` of the version folder.

    Raises:
      ValueError: if the storage is unknown or lacks images, a weight is not finite, or the configuration describes
        another model.
      UserError: if the folder cannot be written.

    Example:

    ```python
    folder = export_saved_model(model, config, "exported/coded_8_240", storage="int8")
    loaded = tf.saved_model.load(str(folder))
    loaded.encode(images_uint8)["bits"]
    loaded.signatures["encode_float"](images=images_float)
    ```
    """
    return save(module(model, config, storage, images), out)
