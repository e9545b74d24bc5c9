"""The data sets that are known by name: each is one file of `tfcoded.data.sets`, and registers itself when imported.

From outside the package:

```python
from tfcoded import data

def load(data_dir):
    return {"train": images, "test": others}   # arrays, or anything else that an .npz file may hold

data.register("mine", load, image_shape=(28, 28, 1))
```

Neither TensorFlow nor NumPy is imported here or by the files of `tfcoded.data.sets`: names, shapes and licences are
asked for by commands that should not wait for them.
"""

import dataclasses
from collections.abc import Callable

from tfcoded.utils.registry import Registry

NORMAL = "normal"  # no images: a model that draws what it sends is told how many draws make an epoch


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set that is known by name.

    Attributes:
      name: `str`.
      load: function of `data_dir`, the folder of prepared data (`str`, a path, or `None` for tensorflow-datasets' own),
        that returns a `tfcoded.data.Dataset`, or what an .npz file of `tfcoded.data.files.load` may hold: a `dict` of
        NumPy arrays, or one array, of which every tenth image is held out.
      image_shape: `(height, width, channels)`, or `(0,)` of draws that carry nothing.
      licence: `str`, where the images come from and on what terms they may be used; empty if that is not known.
      drawn: `bool`, whether it needs neither files nor a network.
      labels: `str`, what the labels mean, for the card of a classifier; empty: the number of classes is told.
      shift: `int`, pixels by which a classifier's training images are moved at most.
      mirrored: `bool`, whether they are mirrored too.
    """

    name: str
    load: Callable
    image_shape: tuple[int, ...]
    licence: str = ""
    drawn: bool = False
    labels: str = ""
    shift: int = 1
    mirrored: bool = False

    @property
    def origin(self):
        """The function that tells this data set from another of the same name."""
        return self.load


DATASETS: Registry[DataSet] = Registry("data set")


def register(name, load, image_shape, **more):
    """Makes a data set known by a name, which `dataset` of a configuration may then have.

    Args:
      name, load, image_shape, **more: the attributes of the `DataSet`.

    Returns:
      The `DataSet`.

    Raises:
      ValueError: if another data set has this name.
    """
    return DATASETS.register(name, DataSet(name, load, tuple(image_shape), **more))


def register_prepared(
    name,
    image_shape,
    builder=None,
    make=None,
    *,
    duration="about half a minute, and the download if there is one",
    advice="",
    **more,
):
    """`register` of images that tensorflow-datasets prepares, see `tfcoded.data.prepared`.

    Args:
      name, image_shape, **more: the attributes of the `DataSet`.
      builder: `str`, the name in tensorflow-datasets; or a function that returns a builder's class; `None`: `name`.
      make: function from a stored image, `[h, w, c]` `tf.uint8`, to one of the data set; `None`: as it is stored.
      duration: `str`, how long the preparation takes.
      advice: `str`, what else to do if the images cannot be had.
    """

    def load(data_dir):
        from tfcoded.data import prepared  # imports tensorflow-datasets

        return prepared.load(name, tuple(image_shape), builder or name, make, data_dir, duration, advice)

    return register(name, load, image_shape, **more)


def shape_of(name):
    """The shape of the images of a data set that is known by name; `None` of a path, or if it has no images."""
    known = DATASETS.get(name)
    return known.image_shape if known is not None and known.image_shape != (0,) else None
