import json

import numpy as np
import pytest

from tfcoded.experiments import claims
from tfcoded.experiments.claims import HELD, NOT_HELD, UNDECIDED, Claim, compare
from tfcoded.experiments.quantity import BLOCKS, Quantity


def quantity(value, error):
    """A quantity with this jackknife error."""
    alternating = np.where(np.arange(BLOCKS) % 2, 1.0, -1.0)
    found = Quantity(value, value + alternating * error / (BLOCKS - 1) ** 0.5)
    assert found.standard_error == pytest.approx(error)
    return found


def status(differences, error, strict=True):
    smaller = [Quantity(0.0, np.zeros(BLOCKS)) for _ in differences]
    larger = [Quantity(d) if error is None else quantity(d, error) for d in differences]
    return compare("", smaller, larger, strict=strict).status


@pytest.mark.parametrize(
    "differences, error, expected",
    [
        ([1.0, 1.1, 0.9], 0.01, HELD),
        ([-1.0, -1.1, -0.9], 0.01, NOT_HELD),
        ([1.0, 1.1, -0.4], 0.01, UNDECIDED),  # the third seed reverses it, and the mean is within 2 errors
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -0.05], 0.01, UNDECIDED),  # one seed reverses it clearly
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -0.05], 0.03, HELD),  # or within 2 of its errors
        ([1.0, 1.1, 0.9], 0.9, UNDECIDED),  # all images together say nothing
        ([-0.1, 0.1, -0.2], 0.01, UNDECIDED),  # the mean reverses it, by too little
        ([1.0], 0.4, HELD),
        ([1.0], 0.6, UNDECIDED),
        ([1.0], None, UNDECIDED),
        ([1.0, 1.1, 0.9], None, HELD),
        ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, -0.01], None, UNDECIDED),  # where nothing tells, any reversal counts
    ],
)
def test_rule(differences, error, expected):
    assert status(differences, error) == expected


def test_at_most():
    assert status([0.1, -0.1, 0.1], 0.1) == UNDECIDED
    assert status([0.1, -0.1, 0.1], 0.1, strict=False) == HELD
    assert status([0.0, 0.0], 0.1, strict=False) == HELD
    assert status([-0.1, -0.1, 0.1], 0.1, strict=False) == UNDECIDED
    assert status([-1.0, -1.1, -0.9], 0.1, strict=False) == NOT_HELD


def test_against_a_number():
    assert compare("", [quantity(1.0, 0.1)], 2).status == HELD
    assert compare("", [quantity(1.0, 0.1)], 0.5).status == NOT_HELD


def test_same_images_decide_what_errors_of_each_could_not():
    images = np.random.default_rng(0).normal(size=1000)
    smaller, larger = [Quantity.mean(images)] * 3, [Quantity.mean(images + 0.001)] * 3
    assert compare("", smaller, larger).status == HELD


def test_claim_needs_all_its_comparisons():
    held, undecided, not_held = (compare("", [quantity(0.0, 0.1)], number) for number in (1, 0.1, -1))
    assert Claim("", (held, held)).status == HELD
    assert Claim("", (held, undecided)).status == UNDECIDED
    assert Claim("", (held, undecided, not_held)).status == NOT_HELD
    assert Claim("", (), reason="too few").status == UNDECIDED


def test_report():
    claim = Claim("joint below separate", (compare("SNR 1", [quantity(1.0, 0.1)], 3.0),), soft=True)
    nothing = Claim("ends", (), reason="needs three")
    text = claims.markdown([claim, nothing])
    assert "**held** (soft): joint below separate" in text
    assert "| SNR 1 | held     | +2 ± 0.1     | +2 ± 0.1       |" in text
    assert "**undecided**: ends (needs three)" in text and "2 S" in text
    content = json.loads(json.dumps([claims.to_dict(claim), claims.to_dict(nothing)]))
    assert content[0]["status"] == "held" and content[0]["comparisons"][0]["difference"] == 2
    assert content[1]["reason"] == "needs three"
