"""Everything that is measured of a trained model, as one record beside the published numbers."""

from tfcoded import families
from tfcoded.metrics.registry import Measured, Model
from tfcoded.runs import records
from tfcoded.utils import text_tables
from tfcoded.utils.errors import UserError


def measure(codec, config, dataset, classifier, plan, *, scratch=None, **facts):
    """Measures a model on one split of its data set.

    Args:
      codec: the model, a SavedModel of this package or the object it was saved from.
      config: its configuration, of any kind.
      dataset: `tfcoded.data.Dataset`.
      classifier: function from images to logits, or `None`.
      plan: a `tfcoded.evaluation.plan.Plan`.
      scratch: file in which the likelihoods of finished images are kept until the measurement ends, so that an
        interrupted one goes on; or `None`.
      **facts: more for the record, such as `epochs`.

    Returns:
      The content of a metrics.json, a `dict`; the same as a table beside the published numbers, a `str`; and what
      `tfcoded.pictures.reliability_diagram` draws, a `dict` that is empty without `calibration`.

    Raises:
      UserError: if a metric cannot be measured, or not of this kind of model, or lacks what it needs, or if none can.
    """
    kind = families.of(config)
    plan = plan.replace(metrics=kind.require(config, plan.metrics))
    images, labels = plan.chosen(dataset)
    if plan.needs("labels") and labels is None:
        raise UserError(f"--metrics={','.join(plan.metrics)} needs labels, which the images of {dataset.name} have not")
    if plan.needs("classifier") and classifier is None:
        raise UserError(f"--metrics={','.join(plan.metrics)} needs a classifier of {dataset.name}; give --classifier")
    model = Model(codec, config, dataset, images, labels, classifier, plan, scratch)
    measured, more, notes, bins = {}, {}, [], {}
    for group in plan.groups:
        found = group.measure(model)
        found = found if isinstance(found, Measured) else Measured(found)
        measured |= found.metrics
        more |= found.facts
        notes += [note for note in found.notes if note not in notes]
        bins |= found.bins
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
