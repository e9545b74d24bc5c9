"""Everything that is measured of a trained model, as one record beside the published numbers."""

import dataclasses
import pathlib

from tfcoded import cache, provenance

# What can be measured; no TensorFlow is imported before it is, so that a command line can offer the names.
METRICS = ("reconstruction", "errors", "calibration", "likelihood", "frechet")
DEFAULT = METRICS[:3]

_HARD = "log_likelihood_hard"
_PUBLISHED_SAMPLES = 300
_COMPONENTS = 100  # training images in the proposal of the likelihood
_CALIBRATION_RUNS = 10  # its bins need no more; each run costs as much as one of the error rates


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure, and on how much.

    Attributes:
      metrics: some of METRICS: `reconstruction` and `errors` (`tfcoded.metrics.protocol`), `calibration`
        (`tfcoded.metrics.calibration`), `likelihood` (`tfcoded.metrics.log_likelihood`), `frechet`
        (`tfcoded.metrics.frechet`).
      split: `test` or `train`, the images to measure on.
      images: `int`, use only the first so many, or `None` for all.
      seed: `int`, of everything sampled.
      runs, words: `int`, runs of the error rates and words in each.
      likelihood_images: `int`, images whose likelihood is measured, the first ones.
      likelihood_samples, likelihood_space, likelihood_prior, likelihood_omega, likelihood_batch: see
        `tfcoded.metrics.log_likelihood`. The name `log_likelihood` is that of the published estimate, of 300 samples;
        others are told by what follows it, as in `log_likelihood_5000` or `log_likelihood_pi`.
      generated: `int`, images generated for the Frechet distances.
      inception: path of the FID network's weights, or `None`: then colour images have no FID.
    """

    metrics: tuple[str, ...] = DEFAULT
    split: str = "test"
    images: int | None = None
    seed: int = 0
    runs: int = 50
    words: int = 1000
    likelihood_images: int = 1000
    likelihood_samples: int = 300
    likelihood_space: str = "z"
    likelihood_prior: str = "fitted"
    likelihood_omega: float = 0.5
    likelihood_batch: int = 300
    generated: int = 10_000
    inception: str | pathlib.Path | None = None

    def chosen(self, dataset):
        """The images to measure on and their labels, or `None` for these, of a `tfcoded.data.Dataset`."""
        test = self.split == "test"
        images = dataset.test_images if test else dataset.train_images
        labels = dataset.test_labels if test else dataset.train_labels
        return images[: self.images], None if labels is None else labels[: self.images]


def measure(codec, config, dataset, classifier, plan, *, scratch=None, **facts):
    """Measures a model on one split of its data set.

    Args:
      codec: the model, a SavedModel of this package or the object it was saved from.
      config: its `tfcoded.config.Config`.
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
      UserError: if a metric cannot be measured.
    """
    from tfcoded.metrics import calibration, error_metrics, frechet, log_likelihood, reconstruction_metrics

    pictures, labels = plan.chosen(dataset)
    branches = config.code.information_bits
    facts = {"images": len(pictures)} | facts
    measured, bins, notes = {}, {}, []

    # What may be refused comes first.
    if "likelihood" in plan.metrics:
        subset = pictures[: plan.likelihood_images]
        result = log_likelihood.measure(
            codec,
            config,
            dataset.train_images,
            subset,
            samples=plan.likelihood_samples,
            seed=plan.seed,
            space=plan.likelihood_space,
            omega=plan.likelihood_omega,
            components=min(_COMPONENTS, len(dataset.train_images)),
            prior=plan.likelihood_prior,
            batch_size=plan.likelihood_batch,
            state=scratch,
        )
        suffix = _likelihood_suffix(plan)
        measured |= {name if name == _HARD else name + suffix: value for name, value in result.measured.items()}
        facts["likelihood"] = {f"log_likelihood{suffix}": {"images": len(subset), **result.settings}}
        notes += [result.note] if result.note else []
        notes += [describe_likelihood(facts["likelihood"][f"log_likelihood{suffix}"])] if result.settings else []
    if "frechet" in plan.metrics:
        distances = frechet.measure(
            codec,
            config,
            pictures,
            generated=plan.generated,
            seed=plan.seed,
            weights=plan.inception,
            classifier=classifier,
            folder=cache.statistics(),
        )
        measured |= distances
        facts["generated"] = plan.generated
        notes += [] if distances else [f"no Frechet distance: the zoo has no classifier for {config.dataset}"]
    if "reconstruction" in plan.metrics:
        measured |= reconstruction_metrics(codec, pictures, labels, classifier, seed=plan.seed)
        notes += missing_accuracy(measured, config.dataset, labels, classifier)
    if "errors" in plan.metrics:
        measured |= error_metrics(codec, branches, seed=plan.seed, runs=plan.runs, words=plan.words)
        facts |= {"runs": plan.runs, "words": plan.words}
    if "calibration" in plan.metrics:
        independent = config.objective.kind != "reinforce_loo"
        runs = min(plan.runs, _CALIBRATION_RUNS)
        found, bins = calibration.measure(
            codec,
            pictures,
            labels,
            classifier,
            branches=branches,
            independent=independent,
            seed=plan.seed,
            runs=runs,
            words=plan.words,
        )
        measured |= found
        facts["calibration"] = {"runs": runs, "words": plan.words}
    published = published_on(config.published, plan.split)
    content = provenance.record(
        config.name, measured, published, seed=plan.seed, split=plan.split, notes=notes, **facts
    )
    return content, "\n".join([table(measured, published), *(f"note: {note}" for note in notes)]), bins


def _likelihood_suffix(plan):
    """What tells a likelihood from the published kind."""
    parts = [str(plan.likelihood_samples)] if plan.likelihood_samples != _PUBLISHED_SAMPLES else []
    parts += [plan.likelihood_space] if plan.likelihood_space != "z" else []
    parts += [plan.likelihood_prior] if plan.likelihood_prior != "fitted" else []
    return "".join(f"_{part}" for part in parts)


def describe_likelihood(facts):
    """One line on how a log-likelihood was measured.

    Args:
      facts: what a metrics.json holds under `likelihood` and the metric's name.

    Returns:
      `str`.
    """

    def span(name):
        numbers = facts[name]
        return f"{name} {min(numbers):.2f}" + (f" to {max(numbers):.2f}" if max(numbers) > min(numbers) else "")

    return (
        f"log-likelihood of {facts['images']} images by {facts['samples']} samples (space {facts['space']}, omega "
        f"{facts['omega']:g}), {facts['prior']} Beta prior, {span('a')}, {span('b')}"
    )


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


def missing_accuracy(measured, dataset, labels, classifier):
    """Why accuracies are missing, as a list of `str`; empty if none is."""
    if labels is None:
        return ["no accuracy: the images have no labels"]
    if classifier is None:
        return [f"no accuracy: the zoo has no classifier for {dataset}"]
    if "confident_accuracy" not in measured:
        return ["no confident accuracy: no image has a word of posterior probability above 0.4"]
    return []


def table(measured, published):
    """Measured metrics beside the published ones.

    Args:
      measured: `dict` from a metric's name to a `tfcoded.metrics.Estimate`.
      published: `dict` from a metric's name to `float`.

    Returns:
      `str` of several lines.
    """
    rows = [("metric", "measured", "s.e.", "published")]
    for name in (*measured, *(name for name in published if name not in measured)):
        value, error = measured.get(name, (None, None))
        digits = 2 if value is not None and abs(value) >= 100 else 4
        rows.append(
            (
                name,
                "-" if value is None else f"{value:.{digits}f}",
                "-" if error is None else f"± {error:.{digits}f}",
                f"{published[name]:g}" if name in published else "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {error:>{widths[2]}}  {reported:>{widths[3]}}"
        for name, value, error, reported in rows
    )
