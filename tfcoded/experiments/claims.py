"""What the paper says must come out, decided by measured numbers; RULE says how."""

import dataclasses
import math

from tfcoded.experiments.quantity import average, combined, over_seeds
from tfcoded.utils import text_tables

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
RULE = """\
A comparison is one order of two quantities. Let d be the difference that one seed measured, positive in the claimed
direction, and e its standard error over the test images; let m be the mean over seeds and S its standard error, which
has the spread over seeds and the error over images in it. The comparison holds if m > 2 S and no seed has d < -2 e
("at most" allows equality: there m >= 0 is enough in place of m > 2 S). It does not hold if m < -2 S. Otherwise it is
undecided: the order is the claimed one but within 2 S, or a seed reverses it, or the mean does by less than 2 S. Where
e is unknown, any reversal counts. With three seeds S has two degrees of freedom: if there is no difference, m is above
2 S in 9 of 100 repetitions, so a comparison near 2 S says little. A claim holds if all its comparisons do, does not
hold if one does not, and is undecided otherwise. Soft claims are observations that need not carry over to other data
and networks.
"""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One order, decided.

    Attributes:
      label: `str`, what is compared, such as `SNR 1`.
      status: HELD, NOT_HELD or UNDECIDED.
      difference: `float`, mean over seeds; positive in the claimed direction.
      standard_error: `float`, of that mean, or `None` if nothing tells.
      differences: tuple of `float`, one for each seed.
      errors: tuple of their standard errors over images, each `float` or `None`.
    """

    label: str
    status: str
    difference: float
    standard_error: float | None
    differences: tuple
    errors: tuple


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim of the paper, decided.

    Attributes:
      text: `str`, the claim.
      comparisons: tuple of `Comparison`s.
      soft: `bool`, whether the claim is an observation that need not carry over to other data and networks.
      reason: `str`, why nothing was compared, or empty.
    """

    text: str
    comparisons: tuple
    soft: bool = False
    reason: str = ""

    @property
    def status(self):
        """HELD, NOT_HELD or UNDECIDED."""
        found = {comparison.status for comparison in self.comparisons}
        if NOT_HELD in found:
            return NOT_HELD
        return HELD if found == {HELD} else UNDECIDED


def compare(label, smaller, larger, *, strict=True):
    """Decides whether one quantity is smaller than another.

    Args:
      label: `str`.
      smaller, larger: lists of `Quantity`, one for each seed, in the same order; or `larger` a number.
      strict: `bool`, whether equality is against the claim.

    Returns:
      A `Comparison`.

    Example:

    ```python
    compare("SNR 1", [joint_of_seed_0, joint_of_seed_1], [separate_of_seed_0, separate_of_seed_1]).status
    ```
    """
    if isinstance(larger, (int, float)):
        found = [combined(lambda a: larger - a, a) for a in smaller]
    else:
        found = [combined(lambda a, b: b - a, a, b) for a, b in zip(smaller, larger, strict=True)]
    differences = tuple(quantity.value for quantity in found)
    errors = tuple(quantity.standard_error for quantity in found)
    mean, error = over_seeds(found)
    if len(found) > 1:
        # The seeds share their images, so that the mean over seeds errs with them too.
        images = average(found).standard_error
        error = math.hypot(error, images or 0.0)
    reversed_ = any(d < -2 * (e or 0.0) for d, e in zip(differences, errors))
    if error is None:
        status = UNDECIDED
    elif mean < -2 * error:
        status = NOT_HELD
    elif not reversed_ and (mean > 2 * error or (not strict and mean >= 0)):
        status = HELD
    else:
        status = UNDECIDED
    return Comparison(label, status, mean, error, differences, errors)


def to_dict(claim):
    """A claim as JSON can hold it."""
    content = {"claim": claim.text, "status": claim.status, "soft": claim.soft}
    if claim.reason:
        content["reason"] = claim.reason
    content["comparisons"] = [dataclasses.asdict(comparison) for comparison in claim.comparisons]
    return content


def markdown(claims):
    """Claims as Markdown text: each with its status and the numbers behind it, then the rule."""
    parts = []
    for claim in claims:
        soft = " (soft)" if claim.soft else ""
        parts.append(f"**{claim.status}**{soft}: {claim.text}")
        if claim.reason:
            parts[-1] += f" ({claim.reason})"
        if claim.comparisons:
            rows = []
            for each in claim.comparisons:
                mean = _with_error(each.difference, each.standard_error)
                seeds = ", ".join(_with_error(d, e) for d, e in zip(each.differences, each.errors))
                rows.append([each.label, each.status, mean, seeds])
            parts.append(text_tables.markdown(["", "status", "difference", "of each seed"], rows, left=4))
    parts.append(f"Differences are given with one standard error.\n{RULE}")
    return "\n\n".join(parts)


def _with_error(value, error):
    return f"{value:+.3g}" + ("" if error is None else f" ± {error:.1g}")
