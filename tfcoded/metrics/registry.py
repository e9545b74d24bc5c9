"""Groups of metrics by the names that `--metrics` knows; `tfcoded.metrics.groups` registers those of this package.

From outside the package:

```python
from tfcoded import metrics

def brightness(model):
    received = model.codec.reconstruct(metrics.as_float(model.images), [0, 1])["images"]
    return {"brightness": metrics.estimate(received.numpy().mean(axis=(1, 2, 3)))}

metrics.register("mine", brightness, labels={"brightness": "mean intensity of reconstructions"})
```

TensorFlow is not imported here.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tfcoded.utils.errors import UserError
from tfcoded.utils.registry import Registry

NEEDS = ("labels", "classifier", "inception")
CHANNEL_DRAWS = 4  # of a channel's noise for every image, unless an option says otherwise


@dataclasses.dataclass(frozen=True)
class Option:
    """A setting of a measurement: an attribute of `tfcoded.evaluation.plan.Plan`, and a flag of the same name.

    Attributes:
      name: `str`.
      default: `int`, `float` or `str`; or `None`, then an `int` may be given.
      help: `str`, of the flag.
      least, most: bounds of a number, or `None`.
      choices: `str`s, all possible values of a text.
    """

    name: str
    default: int | float | str | None
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value):
        """Raises `UserError` unless `value` is possible."""
        if value is None and self.default is None:
            return
        if self.choices:
            possible, expected = value in self.choices, f"one of {', '.join(map(repr, self.choices))}"
        else:
            real = isinstance(self.default, float)
            number = isinstance(value, int | float if real else int) and not isinstance(value, bool)
            least, most = (-float("inf") if self.least is None else self.least), self.most
            possible = number and value >= least and (most is None or value <= most)
            expected = f"{'a number' if real else 'an integer'} of at least {least:g}"
            expected += "" if most is None else f" and at most {most:g}"
        if not possible:
            raise UserError(f"{self.name} is {value!r}; expected {expected}")


class Model(NamedTuple):
    """What a metric is measured of.

    Attributes:
      codec: the model, a SavedModel or the object that it was saved from, see `tfcoded.families.Family.methods`.
      config: its configuration.
      dataset: `tfcoded.data.Dataset`, whole.
      images: `[N, h, w, c]` uint8, those to measure on.
      labels: `[N]`, theirs, or `None`.
      classifier: function from images to logits, or `None`.
      plan: `tfcoded.evaluation.plan.Plan`, which has the seed and the options.
      scratch: path of a file for what an interrupted measurement goes on from, or `None`.
    """

    codec: object
    config: object
    dataset: object
    images: object
    labels: object
    classifier: object
    plan: object
    scratch: object = None


class Measured(NamedTuple):
    """What was measured.

    Attributes:
      metrics: `dict` from a metric's name to a `tfcoded.metrics.Estimate`.
      facts: `dict` of what JSON can write, for the record.
      notes: `str`s, what a reader must know.
      bins: what `tfcoded.pictures.reliability_diagram` draws, a `dict`.
    """

    metrics: dict
    facts: Mapping = {}
    notes: tuple | list = ()
    bins: Mapping = {}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A group of metrics that are measured together.

    Attributes:
      name: `str`, for `--metrics`.
      measure: function from a `Model` to a `Measured`, or to its `metrics` alone.
      family: `str`, name of the `tfcoded.families.Family` of the models.
      default: `bool`, whether it is measured unless others are asked for.
      needs: some of `NEEDS`, without which it is refused: labels of the images, a classifier of them, the FID network's
        weights (of colour images).
      options: `Option`s, for `--<name>`; groups may share one.
      labels: `dict` from a metric's name to what a card calls it; `{}` in both stands for a number.
      signs: `str`s, metrics whose presence in a record tells that the group was measured; or a function from the plan to
        them. By default the names of `labels`.
      first: `bool`, whether it may be refused for what is only known when it is measured: it comes before the others.
      reliability: `bool`, whether it returns `bins`.
    """

    name: str
    measure: Callable
    family: str = "coded_dvae"
    default: bool = False
    needs: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    signs: tuple[str, ...] | Callable = ()
    first: bool = False
    reliability: bool = False

    @property
    def origin(self):
        """The function that tells this group from another of the same name."""
        return self.measure


METRICS: Registry[Metric] = Registry("group of metrics")


def register(name, measure, **more):
    """Makes a group of metrics known to `--metrics`.

    Args:
      name, measure, **more: the attributes of the `Metric`.

    Returns:
      The `Metric`.

    Raises:
      ValueError: if another group has this name, if it needs something unknown, or if an option is another's.
    """
    metric = Metric(name, measure, **more)
    for need in metric.needs:
        if need not in NEEDS:
            raise ValueError(f"the metrics {name!r} need {need!r}; expected some of {', '.join(NEEDS)}")
    known = options()
    for option in metric.options:
        if known.get(option.name, option) != option:
            raise ValueError(f"another group of metrics has the option {option.name!r}; give yours a name of its own")
    return METRICS.register(name, metric)


def of_family(name):
    """The groups of metrics of a family's models, a tuple of `Metric` in the order of their registration."""
    return tuple(metric for metric in METRICS.values() if metric.family == name)


def options(default=False):
    """All options by name; of the groups that are measured by default alone, if `default`."""
    groups = [metric for metric in METRICS.values() if metric.default or not default]
    return {option.name: option for metric in groups for option in metric.options}


def label(family, metric):
    """What a card calls a metric, `str`; its name in backticks if nothing else is known.

    Args:
      family: `str`, name of the model's family.
      metric: `str`, such as `psnr`, or `kl_m2` of a branch.

    Example:

    ```python
    label("coded_dvae", "kl_m2")  # "KL divergence, nats, branch 2"
    ```
    """
    labels = {name: text for group in of_family(family) for name, text in group.labels.items()}
    if metric in labels:
        return labels[metric]
    whole, _, branch = metric.rpartition("_m")
    if branch.isdecimal() and whole in labels:
        return f"{labels[whole]}, branch {branch}"
    for name, text in labels.items():
        found = "{}" in name and re.fullmatch(re.escape(name).replace(r"\{\}", r"(\d+)"), metric)
        if found:
            return text.format(found[1])
    return f"`{metric}`"
