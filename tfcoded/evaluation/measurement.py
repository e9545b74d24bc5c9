"""Everything that is measured of a trained model, as one record beside the published numbers."""

import dataclasses
import pathlib

from tfcoded import families
from tfcoded.runs import records
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError

SPLITS = ("test", "train")
# The least that each of these numbers may be.
_LEAST = {
    "images": 1,
    "seed": 0,
    "runs": 1,
    "words": 1,
    "likelihood_images": 1,
    "likelihood_samples": 1,
    "likelihood_batch": 1,
    "generated": 2,
    "draws": 1,
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure, and on how much.

    Attributes:
      metrics: of a Coded-DVAE some of `reconstruction` and `errors` (`tfcoded.metrics.protocol`), `words`
        (`tfcoded.metrics.transmission`), `calibration` (`tfcoded.metrics.calibration`), `likelihood`
        (`tfcoded.metrics.likelihood.log_likelihood`), `frechet` (`tfcoded.metrics.frechet`), by default the first four; of a
        communication system `communication` (`tfcoded.metrics.communication`). Empty for the default ones.
      split: `test` or `train`, the images to measure on.
      images: `int`, use only the first so many, or `None` for all.
      seed: `int`, of everything sampled.
      runs, words: `int`, runs of the error rates and words in each.
      likelihood_images: `int`, images whose likelihood is measured, the first ones.
      likelihood_samples, likelihood_draws, likelihood_space, likelihood_prior, likelihood_omega, likelihood_batch: see
        `tfcoded.metrics.likelihood.log_likelihood`. The name `log_likelihood` is that of the default, 300 samples as published or
        the enumeration; others are told by what follows it, as in `log_likelihood_5000` or `log_likelihood_pi`.
      generated: `int`, images generated for the Frechet distances.
      inception: path of the FID network's weights, or `None`: then colour images have no FID.
      draws: `int`, of a channel's noise for every image.

    Raises:
      UserError: if a number is too small or none, or there is no such split.
    """

    metrics: tuple[str, ...] = ()
    split: str = "test"
    images: int | None = None
    seed: int = 0
    runs: int = 50
    words: int = 1000
    likelihood_images: int = 1000
    likelihood_samples: int | None = None
    likelihood_draws: int = 64
    likelihood_space: str = "z"
    likelihood_prior: str = "fitted"
    likelihood_omega: float = 0.5
    likelihood_batch: int = 300
    generated: int = 10_000
    inception: str | pathlib.Path | None = None
    draws: int = 4

    def __post_init__(self):
        if self.split not in SPLITS:
            raise UserError(f"split is {self.split!r}; expected {' or '.join(map(repr, SPLITS))}")
        if isinstance(self.metrics, str):
            raise UserError(f"metrics is the text {self.metrics!r}; expected several, such as ({self.metrics!r},)")
        for name, least in _LEAST.items():
            number = getattr(self, name)
            if number is None and getattr(Plan, name) is None:
                continue
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise UserError(f"{name} is {number!r}; expected an integer of at least {least}")

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
    return Plan.runs if train_images is None else max(2, min(Plan.runs, train_images // 1000))


def measure(codec, config, dataset, classifier, plan, *, scratch=None, **facts):
    """Measures a model on one split of its data set.

    Args:
      codec: the model, a SavedModel of this package or the object it was saved from.
      config: its configuration, of any kind.
      dataset: `tfcoded.data.Dataset`.
      classifier: function from images to logits, or `None`.
      plan: a `Plan`.
      scratch: file in which the likelihoods of finished images are kept until the measurement ends, so that an
        interrupted one goes on; or `None`.
      **facts: more for the record, such as `epochs`.

    Returns:
      The content of a metrics.json, a `dict`; the same as a table beside the published numbers, a `str`; and what
      `tfcoded.pictures.reliability_diagram` draws, a `dict` that is empty without `calibration`.

    Raises:
      UserError: if a metric cannot be measured, or not of this kind of model, or if none of them can.
    """
    kind = families.of(config)
    plan = dataclasses.replace(plan, metrics=kind.require(config, plan.metrics))
    images, _ = plan.chosen(dataset)
    measured, more, notes, bins = kind.measure(codec, config, dataset, classifier, plan, scratch)
    if not measured:
        raise UserError(f"--metrics={','.join(plan.metrics)}: nothing can be measured; {'; '.join(notes)}")
    published = published_on(config.published, plan.split)
    content = records.record(
        config.name,
        measured,
        published,
        seed=plan.seed,
        split=plan.split,
        notes=notes,
        **({"images": len(images)} | facts | more),
    )
    shown = {name: qualified(content, name) for name in measured}
    lines = [table(measured, published, shown), *(f"note: {note}" for note in remarks(content))]
    return content, "\n".join(lines), bins


def remarks(record):
    """What a reader of the numbers must know.

    Args:
      record: `dict`, the content of a metrics.json.

    Returns:
      list of `str`: the notes, and how each log-likelihood was measured or why there is none.
    """
    likelihoods = record.get("likelihood", {}).values()
    told = [facts.get("note") or describe_likelihood(facts) for facts in likelihoods]
    return list(dict.fromkeys([*record.get("notes", ()), *told]))


def describe_likelihood(facts):
    """One line on how a log-likelihood was measured, and how far it may be from the true one.

    Args:
      facts: what a metrics.json holds under `likelihood` and the metric's name.

    Returns:
      `str`.
    """

    def span(name):
        numbers = facts[name]
        return f"{name} {min(numbers):.2f}" + (f" to {max(numbers):.2f}" if max(numbers) > min(numbers) else "")

    if "words" in facts:
        text = (
            f"log-likelihood under hard encoding of {facts['images']} images by enumeration of {facts['words']} words,"
            f" {facts['draws']} draws of z for each"
        )
    else:
        text = (
            f"log-likelihood of {facts['images']} images by {facts['samples']} samples (space {facts['space']}, omega "
            f"{facts['omega']:g}), {facts['prior']} Beta prior, {span('a')}, {span('b')}"
        )
    if "bias" not in facts:
        return text
    text += f"; Monte Carlo's part of the error is {facts['monte_carlo_error']:.2g}"
    if facts["bias_at_most"] is None:
        more = f"twice as many would add about {facts['twice_the_samples']:.2g}"
        return f"{text}; a lower bound: {more}, and no end can be told"
    bound = f"at most {facts['bias_at_most']:.2g}"
    return f"{text}; too low by about {facts['bias']:.2g}, {bound}, as far as samples can tell"


def qualified(record, metric):
    """What must stand beside a log-likelihood wherever it stands beside a published one.

    Args:
      record: `dict`, the content of a metrics.json.
      metric: `str`.

    Returns:
      `str`, such as ` (another prior, lower bound)`; mostly empty.
    """
    facts = record.get("likelihood", {}).get(metric, {})
    prior = [*facts.get("a", ()), *facts.get("b", ())]
    words = ["another prior"] if any(number != 0.5 for number in prior) else []  # 1/2 where each bit is sent once
    words += ["lower bound"] if "bias_at_most" in facts and facts["bias_at_most"] is None else []
    return f" ({', '.join(words)})" if words else ""


def published_on(published, split):
    """The published numbers of a split, under the names of the metrics.

    Args:
      published: `dict` of a configuration: numbers on the training images have names ending in `_train`.
      split: `str`, `test` or `train`.

    Returns:
      `dict`. Error rates belong to both splits: they are measured on random words and no image of a data set.

    Example:

    ```python
    published_on({"psnr": 17.9, "psnr_train": 19.3, "ber": 0.037}, "train")  # {"psnr": 19.3, "ber": 0.037}
    ```
    """
    published = {name: value for name, value in published.items() if not name.endswith("_parameters")}
    if split == "test":
        return {name: value for name, value in published.items() if not name.endswith("_train")}
    return {
        name.removesuffix("_train"): value
        for name, value in published.items()
        if name.endswith("_train") or name.startswith(("ber", "wer"))
    }


def table(measured, published, shown=None):
    """Measured metrics beside the published ones.

    Args:
      measured: `dict` from a metric's name to a `tfcoded.metrics.Estimate`.
      published: `dict` from a metric's name to `float`.
      shown: `dict` from a metric's name to what follows it in its row, or `None`.

    Returns:
      `str` of several lines.
    """
    columns = 4 if published else 3  # of a system nothing was published
    rows = [("metric", "measured", "s.e.", "published")[:columns]]
    for name in (*measured, *(name for name in published if name not in measured)):
        value, error = measured.get(name, (None, None))
        digits = 4 if value is None else _digits(value)
        rows.append(
            (
                name + (shown or {}).get(name, ""),
                "-" if value is None else f"{value:.{digits}f}",
                "-" if error is None else f"± {error:.{digits}f}",
                f"{published[name]:g}" if name in published else "-",
            )[:columns]
        )
    return text_tables.aligned(rows)


def _digits(value):
    """How many decimals a metric is printed with: more of those that are a small part of 1."""
    return 2 if abs(value) >= 100 else 4 if abs(value) >= 0.1 or value == 0 else 6
