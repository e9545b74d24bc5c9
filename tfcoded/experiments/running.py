"""Runs experiments: from what was measured, training and measuring what was not, to tables and figures."""

import dataclasses
from collections.abc import Callable

from tfcoded.experiments import bandwidths, joint_separate, plan, records, report
from tfcoded.utils.errors import UserError
from tfcoded.utils.files import for_tensorflow, writable_folder


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
      cells: function of `Settings`, gives the `Cell`s.
      result: function of the cells, their `Record`s by name and `Settings`, gives a `tfcoded.experiments.report.Result`.
    """

    cells: Callable
    result: Callable


def _decoders(settings):
    return plan.bandwidth_limited(settings, plan.DECODERS, distances=True)


EXPERIMENTS = {
    "bwlc_fig4": Experiment(plan.joint_and_separate, joint_separate.at_best_beta),
    "bwlc_fig8": Experiment(plan.joint_and_separate, joint_separate.at_every_beta),
    "bwlc_fig5": Experiment(lambda settings: plan.bandwidth_limited(settings, plan.PRIORS), bandwidths.priors),
    "bwlc_fig6": Experiment(_decoders, bandwidths.decoders),
}
SHEET = "bwlc_fig7"  # draws what the networks of the one before make; nothing of it is measured


def run(names, settings, out, runs=None, data_dir=None, train=True, overwrite=False):
    """Runs experiments one after the other and writes what comes out.

    Args:
      names: list of `str`, keys of EXPERIMENTS or SHEET.
      settings: `tfcoded.experiments.plan.Settings`.
      out: `pathlib.Path` of a folder.
      runs: folder of the training runs, or `None` for `out`/runs.
      data_dir: folder of tensorflow-datasets, or `None`.
      train: `bool`, whether to train and measure what is missing.
      overwrite: `bool`, whether a result may be replaced by one that lacks some of its cells.

    Raises:
      UserError: if something is missing and `train` is false, or was made with other settings, or a result has cells
        that the new one would lack and `overwrite` is false.
    """
    runs = for_tensorflow(runs or out / "runs")
    writable_folder(out)
    shop = None
    cells_of = {name: _sheet_cells(settings) if name == SHEET else EXPERIMENTS[name].cells(settings) for name in names}
    if not overwrite:
        for name, cells in cells_of.items():
            report.require_no_loss(out / name, cells)
    for name, cells in cells_of.items():
        missing = [cell for cell in cells if name == SHEET or records.read(out, cell, settings) is None]
        if missing and name != SHEET and not train:
            listed = ", ".join(cell.name for cell in missing[:5]) + (", .." if len(missing) > 5 else "")
            raise UserError(
                f"{len(missing)} of {len(cells)} cells of {name} are not measured ({listed}); run it with --train"
            )
        if missing and shop is None:
            from tfcoded.experiments import work

            shop = work.Workshop(out, runs, settings, data_dir)
        if name == SHEET:
            from tfcoded.experiments import sheet

            result = sheet.received(cells, shop, settings)
        else:
            if missing:
                shop.complete(cells)
            found = {cell.name: records.read(out, cell, settings) for cell in cells}
            result = EXPERIMENTS[name].result(cells, found, settings)
        report.write(out / name, name, result, settings, cells)
        _announce(out / name, result)


def _sheet_cells(settings):
    if len(settings.betas) > 1:
        raise UserError(f"{SHEET} shows systems of one beta; give a single one of --betas")
    return plan.bandwidth_limited(
        dataclasses.replace(settings, seeds=settings.seeds[:1]), plan.DECODERS, distances=True
    )


def _announce(folder, result):
    print(f"\n{result.title}\n")
    print(report.to_markdown(result.columns, result.rows))
    for claim in result.claims:
        print(f"{claim.status}{' (soft)' if claim.soft else ''}: {claim.text}")
    print(f"written to {folder}", flush=True)
