"""What is to be measured, and on how much."""

from tfcoded.metrics import registry
from tfcoded.metrics.groups import RUNS
from tfcoded.utils.errors import UserError

SPLITS = ("test", "train")


class Plan:
    """What to measure, and on how much. It does not change; `replace` makes another.

    Args:
      metrics: `str`s, names of groups in `tfcoded.metrics.METRICS`, all of one family of models. Empty for its default
        ones.
      split: `test` or `train`, the images to measure on.
      images: `int`, use only the first so many, or `None` for all.
      seed: `int`, of everything sampled.
      inception: path of the FID network's weights, or `None`: then colour images have no FID.
      **options: values of the groups' options, such as `runs`; those not given have their defaults. All are attributes.

    Raises:
      UserError: if a value is impossible, or there is no such split.
      TypeError: if there is no such option.

    Example:

    ```python
    Plan(metrics=("errors",), images=1000, runs=5).runs  # 5
    ```
    """

    def __init__(self, metrics=(), split="test", images=None, seed=0, inception=None, **options):
        if split not in SPLITS:
            raise UserError(f"split is {split!r}; expected {' or '.join(map(repr, SPLITS))}")
        if isinstance(metrics, str):
            raise UserError(f"metrics is the text {metrics!r}; expected several, such as ({metrics!r},)")
        known = registry.options()
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(f"no group of metrics has the option {unknown[0]!r}; expected some of {', '.join(known)}")
        options = {name: options.get(name, option.default) for name, option in known.items()}
        registry.Option("images", None, "", least=1).check(images)
        registry.Option("seed", 0, "", least=0).check(seed)
        for name, value in options.items():
            known[name].check(value)
        values = {"metrics": tuple(metrics), "split": split, "images": images, "seed": seed, "inception": inception}
        self.__dict__.update(values | options)

    def __setattr__(self, name, value):
        raise AttributeError(f"a Plan does not change; use replace({name}={value!r})")

    def replace(self, **changes):
        """A plan with some arguments changed."""
        return Plan(**self.__dict__ | changes)

    @property
    def groups(self):
        """The groups of metrics in the order in which they are measured: first those that may be refused."""
        groups = [group for name, group in registry.METRICS.items() if name in self.metrics]
        return tuple(sorted(groups, key=lambda group: not group.first))

    @property
    def signs(self):
        """Metrics whose presence in a record tells that a group was measured before, a `dict` from names to `None`."""
        signs = (group.signs or tuple(group.labels) for group in self.groups)
        return dict.fromkeys(name for some in signs for name in (some(self) if callable(some) else some))

    def needs(self, need):
        """Whether a group of the metrics needs one of `tfcoded.metrics.registry.NEEDS`."""
        return any(need in group.needs for group in self.groups)

    def chosen(self, dataset):
        """The images to measure on and their labels, or `None` for these.

        Args:
          dataset: `tfcoded.data.Dataset`.

        Raises:
          UserError: if there are fewer images than planned.
        """
        test = self.split == "test"
        images = dataset.test_images if test else dataset.train_images
        labels = dataset.test_labels if test else dataset.train_labels
        if self.images is not None and self.images > len(images):
            raise UserError(
                f"cannot measure on the first {self.images} {'test' if test else 'training'} images: {dataset.name} has"
                f" {len(images)} of them"
            )
        return images[: self.images], None if labels is None else labels[: self.images]


def runs_after(train_images):
    """How many runs of the error rates follow a training, `int`: 50, or as many thousands as it had images, at least 2.

    Args:
      train_images: `int`, or `None` for all images.
    """
    return RUNS.default if train_images is None else max(2, min(RUNS.default, train_images // 1000))
