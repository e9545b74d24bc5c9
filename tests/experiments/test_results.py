"""Tables, claims and figures of invented measurements, in which what is true is known."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from measured import record

from tfcoded import pictures
from tfcoded.experiments import bandwidths, joint_separate, plan, report
from tfcoded.experiments.claims import HELD, NOT_HELD, UNDECIDED
from tfcoded.experiments.quantity import combined
from tfcoded.experiments.running import EXPERIMENTS

SETTINGS = plan.Settings(seeds=(0, 1, 2), betas=(0.1, 1.0, 10.0), train_images=45_000)
GAPS = {0.01: 0.01, 0.1: 0.1, 1.0: 0.2, 10.0: 0.15, 100.0: 0.05}


def joint_and_separate(settings=SETTINGS, gaps=GAPS, best=1.0, nothing=0.1):
    """Joint systems are better by these gaps at their best beta, and depend on beta three times as much."""
    cells = plan.joint_and_separate(settings)
    found = {cells[-1].name: record({"mse": nothing}, seed=99)}
    for number, cell in enumerate(cells[:-1]):
        away = abs(np.log10(cell.beta / best))
        separate = 0.05 / (1 + cell.snr) ** 0.2
        value = separate * (1 + 0.1 * away)
        if cell.label == "joint":
            value = separate * (1 - gaps[cell.snr]) * (1 + 0.3 * away)
        found[cell.name] = record({"mse": value * (1 + 0.001 * cell.seed), "rate": 50 - cell.beta}, seed=number)
    return cells, found


def test_a_beta_at_the_end_of_the_grid_is_told():
    cells, found = joint_and_separate(best=0.1)
    (remark,) = [text for text in joint_separate.at_best_beta(cells, found, SETTINGS).remarks if "beyond" in text]
    assert "joint at SNR 0.01" in remark and "separate at SNR 100" in remark


def test_what_a_table_says_of_its_making():
    cells = plan.joint_and_separate(SETTINGS)
    assert "batches of 128, float32; channel autoencoders" in report.describe(SETTINGS, cells)
    assert "all test images with 4 draws of the channel. Standard errors are over seeds." in report.describe(
        SETTINGS, cells
    )
    cells = plan.bandwidth_limited(SETTINGS, plan.DECODERS, distances=True)
    assert "with 8 draws of the channel, distances with one." in report.describe(SETTINGS, cells)
    assert report.describe(SETTINGS, cells, "seed 0, shown once").endswith("seed 0, shown once.")


def test_figure_4():
    cells, found = joint_and_separate()
    result = joint_separate.at_best_beta(cells, found, SETTINGS)
    assert [claim.status for claim in result.claims] == [HELD, HELD]
    assert [row["snr"] for row in result.rows] == list(plan.SNRS)
    assert not any("may lie beyond" in remark for remark in result.remarks)
    row = result.rows[2]
    assert row["joint_beta"] == row["separate_beta"] == 1.0
    assert row["decibel"] == 0 and row["capacity"] == pytest.approx(50)
    assert row["relative_gap"][0] == pytest.approx(0.2, abs=1e-3)
    assert row["separate_mse"] == pytest.approx((0.05 / 2**0.2 * 1.001, 0.05 / 2**0.2 * 0.001 / 3**0.5), rel=0.2)


def test_beta_is_chosen_on_the_validation_images():
    cells, found = joint_and_separate()
    for cell in cells[:-1]:  # as if the validation images liked another beta
        found[cell.name].validation["mse"] = abs(np.log(cell.beta / 10))
    result = joint_separate.at_best_beta(cells, found, SETTINGS)
    assert {row["joint_beta"] for row in result.rows} == {10.0}


def test_what_errs_more_than_sending_nothing_is_not_what_the_joint_system_is_compared_with():
    # The separate system has 0.05, 0.049, 0.044, 0.031 and 0.020, and the joint one is better than it by GAPS.
    cells, found = joint_and_separate(nothing=0.0425)
    result = joint_separate.at_best_beta(cells, found, SETTINGS)
    assert [row["rival"] for row in result.rows] == ["nothing sent"] * 3 + ["separate"] * 2
    for row in result.rows:
        least = min(row["separate_mse"][0], row["nothing_mse"][0])
        assert row["relative_gap"][0] == pytest.approx(1 - row["joint_mse"][0] / least, abs=1e-4)
    order = result.claims[0]
    assert [each.status for each in order.comparisons] == [NOT_HELD, NOT_HELD, HELD, HELD, HELD]
    assert order.comparisons[0].label == "SNR 0.01, against nothing sent" and "sending nothing" in order.text
    assert any("mean of the training images" in remark for remark in result.remarks)
    assert dict(result.columns)["relative_gap"] == "1 - joint / min(separate, nothing sent)"
    # On the test images it would be otherwise: what is compared with is chosen on the validation images.
    found[cells[-1].name].validation["mse"] = 0.06
    assert {row["rival"] for row in joint_separate.at_best_beta(cells, found, SETTINGS).rows} == {"separate"}

    every = joint_separate.at_every_beta(cells, found, SETTINGS)
    (told,) = [remark for remark in every.remarks if remark.startswith("Worse than sending nothing: ")]
    assert "joint at SNR 0.01 and beta 1," in told and "separate at SNR 0.1 and beta 10" in told
    assert "SNR 10 " not in told and "SNR 100" not in told
    free, capped = every.claims
    assert (
        "nothing is sent where" in capped.text and 0 < capped.comparisons[0].difference < free.comparisons[0].difference
    )


@pytest.mark.parametrize("betas, told", [((), None), ((0.1, 1.0), "Betas that were run: 0.1, 1. ")])
def test_a_table_names_the_betas_that_were_not_run(betas, told):
    settings = dataclasses.replace(SETTINGS, betas=betas)
    cells, found = joint_and_separate(settings)
    for result in (joint_separate.at_best_beta, joint_separate.at_every_beta):
        remarks = [remark for remark in result(cells, found, settings).remarks if "grid" in remark]
        grid = "The configuration's grid is 0.01, 0.0316, 0.1, 0.316, 1, 3.16, 10."
        assert remarks == ([] if told is None else [told + grid])


def test_figure_4_fails_where_it_should():
    cells, found = joint_and_separate(gaps=GAPS | {0.01: -0.1})
    assert joint_separate.at_best_beta(cells, found, SETTINGS).claims[0].status == NOT_HELD
    cells, found = joint_and_separate(gaps=GAPS | {100.0: 0.3})  # the gap keeps growing
    assert [claim.status for claim in joint_separate.at_best_beta(cells, found, SETTINGS).claims] == [HELD, NOT_HELD]


def test_two_ratios_have_no_middle():
    settings = dataclasses.replace(SETTINGS, snrs=(0.1, 10.0), seeds=(0,))
    cells, found = joint_and_separate(settings)
    claim = joint_separate.at_best_beta(cells, found, settings).claims[1]
    assert claim.status == UNDECIDED and "three" in claim.reason


def test_figure_8(tmp_path):
    cells, found = joint_and_separate()
    result = joint_separate.at_every_beta(cells, found, SETTINGS)
    assert len(result.rows) == 15
    for claim in result.claims:  # nothing is never better
        assert claim.status == HELD and claim.soft
        assert claim.comparisons[0].difference == pytest.approx(np.log(1.3 / 1.1), abs=1e-3)
    assert not any("Worse" in remark for remark in result.remarks)
    for name, draw in result.figures.items():
        draw(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000


def bandwidth_limited(entries, metrics, settings):
    cells = plan.bandwidth_limited(settings, entries, distances=True)
    found = {}
    for number, cell in enumerate(cells):
        values = {name: value * (1 + 0.002 * cell.seed) for name, value in metrics(cell).items()}
        found[cell.name] = record(values, seed=number)
    return cells, found


def curves(gap):
    """Errors on a line, those of the Gaussian prior above it by a gap that shrinks with every band."""

    def metrics(cell):
        more = gap if cell.label == "gaussian" else 0.0
        worse = 1 + abs(np.log(cell.beta))
        return {f"mse_bands_{b}": worse * (0.06 - 0.008 * b + more * (5.5 - b)) for b in range(6)}

    return metrics


def test_figure_5():
    settings = dataclasses.replace(SETTINGS, betas=(0.5, 1.0))
    cells, found = bandwidth_limited(plan.PRIORS, curves(0.001), settings)
    result = bandwidths.priors(cells, found, settings)
    assert [claim.status for claim in result.claims] == [HELD] * 6
    assert [claim.soft for claim in result.claims] == [False] * 4 + [True] * 2
    assert result.facts["betas_chosen"] == {"gaussian": 1.0, "convdraw": 1.0}
    assert result.facts["fits"]["convdraw"]["slope"][0] == pytest.approx(-0.008, rel=0.01)
    assert result.facts["fits"]["gaussian"]["r_squared"][0] == pytest.approx(1, abs=1e-3)
    assert [row["bands"] for row in result.rows] == list(range(6))
    assert result.rows[1]["gap"][0] == pytest.approx(0.0045, rel=0.02)


def test_figure_5_fails_where_it_should():
    settings = dataclasses.replace(SETTINGS, betas=())
    cells, found = bandwidth_limited(plan.PRIORS, curves(-0.001), settings)
    statuses = [claim.status for claim in bandwidths.priors(cells, found, settings).claims]
    assert statuses == [HELD, HELD, NOT_HELD, NOT_HELD, HELD, HELD]


def test_figure_6():
    def metrics(cell):
        floor = 3.0 if cell.label == "ALV" else 5.0
        values = {f"fd_classifier_bands_{b}": floor + 10 - b for b in range(6)} | {"fd_classifier_originals": 0.1}
        return values | {f"mse_bands_{b}": 0.06 - 0.008 * b for b in range(6)}

    settings = dataclasses.replace(SETTINGS, betas=())
    cells, found = bandwidth_limited(plan.DECODERS, metrics, settings)
    result = bandwidths.decoders(cells, found, settings)
    assert [claim.status for claim in result.claims] == [HELD] * 3
    assert "FD-classifier" in result.title and "not the FID" in " ".join(result.remarks)
    assert result.facts["originals"] == pytest.approx(0.1, rel=0.01)
    for row in result.rows:
        assert row["fd_classifier_gap"][0] == pytest.approx(-2, abs=0.1) and row["mse_gap"][0] == pytest.approx(
            0, abs=1e-3
        )


def test_differences_are_paired_and_drawn_with_a_line_at_zero(monkeypatch):
    """All seeds of both priors err in one direction, so that the difference is better known than either."""
    drawn = {}
    monkeypatch.setattr(pictures, "panels", lambda contents, path, heading: drawn.update({heading: contents}))
    settings = dataclasses.replace(SETTINGS, betas=())
    cells, found = bandwidth_limited(plan.PRIORS, curves(0.001), settings)
    for cell in cells:
        change = 1 + 0.1 * cell.seed
        moved = {
            name: combined(lambda value, change=change: value * change, q)
            for name, q in found[cell.name].metrics.items()
        }
        found[cell.name] = dataclasses.replace(found[cell.name], metrics=moved)
    bandwidths.priors(cells, found, settings).figures["figure.png"]("figure.png")
    ((heading, (errors, difference)),) = drawn.items()
    assert heading == "bars: one standard error over 3 seeds; gaps and differences are taken seed by seed"
    assert (errors.zero, difference.zero) == (False, True) and difference.title == "gaussian minus convdraw prior"
    (line,) = difference.lines
    assert max(line.errors) < 0.3 * min(max(line.errors) for line in errors.lines)

    drawn.clear()
    cells, found = joint_and_separate()
    result = joint_separate.at_every_beta(cells, found, SETTINGS)
    for row in result.rows:
        assert row["relative_gap"][0] == pytest.approx(1 - row["joint_mse"][0] / row["separate_mse"][0], abs=1e-2)
    result.figures["lines.png"]("lines.png")
    (contents,) = drawn.values()
    assert [panel.zero for panel in contents] == [False] * len(SETTINGS.snrs) + [True]
    assert len(contents[-1].lines) == len(SETTINGS.snrs)


def test_line_fit():
    assert bandwidths.line_fit([5.0, 3.0, 1.0]) == pytest.approx((-2.0, 1.0))
    slope, r_squared = bandwidths.line_fit([0.0, 1.0, 0.0])
    assert slope == pytest.approx(0) and r_squared == pytest.approx(0)


@pytest.mark.parametrize("name", ["bwlc_fig4", "bwlc_fig5"])
def test_files(name, tmp_path):
    if name == "bwlc_fig4":
        settings = SETTINGS
        cells, found = joint_and_separate()
    else:
        settings = dataclasses.replace(SETTINGS, betas=(), overrides=("channel.marginalise=mc",))
        cells, found = bandwidth_limited(plan.PRIORS, curves(0.001), settings)
    result = EXPERIMENTS[name].result(cells, found, settings)
    report.write(tmp_path / name, name, result, settings, cells)
    files = {path.name for path in (tmp_path / name).iterdir()}
    assert files == {"table.csv", "table.md", "claims.md", "figure.png", "result.json"}
    with (tmp_path / name / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.rows)
    key = result.columns[-1][0]
    assert float(rows[0][key]) == pytest.approx(result.rows[0][key][0])
    assert float(rows[0][key + "_standard_error"]) == pytest.approx(result.rows[0][key][1])
    text = (tmp_path / name / "table.md").read_text()
    for part in ("cifar10", "size small", "5 epochs", "1760 steps", "seeds 0, 1, 2", "all test images", "over seeds"):
        assert part in text
    assert ("channel.marginalise=mc" in text) == (name == "bwlc_fig5")
    content = json.loads((tmp_path / name / "result.json").read_text())
    assert content["seeds"] == [0, 1, 2] and content["command"] and content["versions"] and content["hardware"]
    assert [claim["status"] for claim in content["claims"]] == [claim.status for claim in result.claims]


def test_tables():
    columns = (("a", "A"), ("b", "B"), ("c", "C"))
    rows = [{"a": 1, "b": (0.01234, 0.00012), "c": "x"}, {"a": 0.5, "b": (0.02, None)}]
    assert report.to_csv(columns, rows) == "a,b,b_standard_error,c\n1,0.01234,0.00012,x\n0.5,0.02,,\n"
    assert report.to_markdown(columns, rows).splitlines()[2] == "|   1 | 0.01234 ± 0.00012 |   x |"
