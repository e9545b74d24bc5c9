"""Figures 5 and 6: what systems lose with every band that is lost, by their prior and by their decoder."""

import numpy as np

from tfcoded import pictures
from tfcoded.experiments import plan
from tfcoded.experiments.claims import Claim, compare
from tfcoded.experiments.joint_separate import bars
from tfcoded.experiments.quantity import combined, over_seeds
from tfcoded.experiments.report import Result

NAMES = {"fid": "FID", "fd_classifier": "FD-classifier"}
LINEAR = 0.9  # R^2 from which a curve is called a line


def priors(cells, records, settings):
    """Figure 5: error over the number of bands with a Gaussian and with a learned prior.

    Args:
      cells: `tfcoded.experiments.plan.Cell`s.
      records: `dict` from a cell's name to its `tfcoded.experiments.records.Record`.
      settings: `tfcoded.experiments.plan.Settings`.

    Returns:
      `tfcoded.experiments.report.Result`.
    """
    systems, betas = chosen_systems(cells, records)
    bands = cells[0].config.channel.bands
    curves = {label: _curves(each, "mse_bands_{}", bands) for label, each in systems.items()}
    gaussian, learned = curves["gaussian"], curves["convdraw"]
    gaps = _differences(gaussian, learned)

    # The table: a row for each number of bands.
    rows = [
        {"bands": b}
        | {f"{label}_mse": over_seeds(curve[b]) for label, curve in curves.items()}
        | {"gap": over_seeds(gaps[b])}
        for b in range(bands + 1)
    ]
    columns = (
        ("bands", "B"),
        *((f"{label}_mse", f"{label} prior, MSE") for label in curves),
        ("gap", "gaussian minus convdraw"),
    )

    # What the paper says of its figure, and whether it is so here.
    fits = {label: _fits(curve, bands) for label, curve in curves.items()}
    claims = [
        *(
            decrease(f"with the {label} prior, the error decreases with every band", curve, bands)
            for label, curve in curves.items()
        ),
        Claim(
            "the error with the convdraw prior is at most that with the Gaussian prior at every B",
            tuple(compare(f"B = {b}", learned[b], gaussian[b], strict=False) for b in range(1, bands + 1)),
        ),
        Claim(
            f"the gap between the priors is larger at B = 1 than at B = {bands - 1}",
            (compare(f"B = 1 and {bands - 1}", gaps[bands - 1], gaps[1]),) if bands > 2 else (),
        ),
        *(
            Claim(
                f"with the {label} prior, the error falls linearly from B = 1 on: R^2 at least {LINEAR}",
                (compare("R^2", [combined(lambda r: -r, r) for r in fit["r_squared"]], -LINEAR, strict=False),),
                soft=True,
            )
            for label, fit in fits.items()
        ),
    ]

    facts = {"betas_chosen": betas, "fits": {}}
    remarks = [_beta_remark(betas)]
    for label, fit in fits.items():
        slope, r_squared = over_seeds(fit["slope"]), over_seeds(fit["r_squared"])
        facts["fits"][label] = {"slope": slope, "r_squared": r_squared}
        remarks.append(
            f"Line through B = 1 to {bands}, {label} prior: slope {_number(slope)} per band, R^2 {_number(r_squared)}."
        )

    x = range(bands + 1)
    panels = [
        pictures.Panel(
            "test error",
            "bands received",
            "MSE",
            [_line(f"{label} prior", rows, f"{label}_mse") for label in curves],
            ticks=x,
        ),
        pictures.Panel(
            "gaussian minus convdraw prior",
            "bands received",
            "difference of the MSE",
            [_line("", rows, "gap")],
            ticks=x,
            zero=True,
        ),
    ]
    heading = bars(settings)
    title = "Figure 5: error over the bandwidth, by the prior of lost bands"
    figures = {"figure.png": lambda path: pictures.panels(panels, path, heading=heading)}
    return Result(title, columns, rows, claims, figures, remarks, facts)


def decoders(cells, records, settings):
    """Figure 6: Fréchet distance over the number of bands, without and with auxiliary latent variables.

    Arguments and result as in `priors`.
    """
    systems, betas = chosen_systems(cells, records)
    bands = cells[0].config.channel.bands
    metric = plan.distance_name(settings)
    name = NAMES[metric]
    curves = {label: _curves(each, metric + "_bands_{}", bands) for label, each in systems.items()}
    errors = {label: _curves(each, "mse_bands_{}", bands) for label, each in systems.items()}
    gaps = {metric: _differences(curves["ALV"], curves["plain"]), "mse": _differences(errors["ALV"], errors["plain"])}

    # The table: a row for each number of bands.
    rows = [
        {"bands": b}
        | {f"{label}_{metric}": over_seeds(curve[b]) for label, curve in curves.items()}
        | {f"{label}_mse": over_seeds(curve[b]) for label, curve in errors.items()}
        | {f"{key}_gap": over_seeds(gap[b]) for key, gap in gaps.items()}
        for b in range(bands + 1)
    ]
    columns = (
        ("bands", "B"),
        *((f"{label}_{metric}", f"{label} {name}") for label in curves),
        (f"{metric}_gap", f"ALV minus plain, {name}"),
        *((f"{label}_mse", f"{label} MSE") for label in errors),
        ("mse_gap", "ALV minus plain, MSE"),
    )

    # What the paper says of its figure, and whether it is so here.
    claims = [
        *(
            decrease(f"with the {label} decoder, the {name} decreases with every band", curve, bands)
            for label, curve in curves.items()
        ),
        Claim(
            f"the {name} with the ALV decoder is below that with the plain decoder at every B",
            tuple(compare(f"B = {b}", curves["ALV"][b], curves["plain"][b]) for b in range(1, bands + 1)),
        ),
    ]

    first = next(iter(systems.values()))[0].metrics
    floor = first[f"{metric}_originals"].value
    remarks = [
        _beta_remark(betas),
        f"{name} of half of the test images, as received, against the originals of the other half; the originals "
        f"of the two halves are {floor:.4g} apart.",
    ]
    if metric == "fd_classifier":
        remarks.append(
            "FD-classifier is the Fréchet distance between the logits of a small classifier. It is not the FID: its "
            "scale is its own, and only values of one classifier compare."
        )
    else:
        remarks.append("A FID of fewer images is larger: compare only with those of as many.")

    x = range(bands + 1)
    panels = [
        panel
        for key, title, label in ((metric, "distance", name), ("mse", "error", "MSE"))
        for panel in (
            pictures.Panel(
                title, "bands received", label, [_line(system, rows, f"{system}_{key}") for system in curves], ticks=x
            ),
            pictures.Panel(
                f"{title}, ALV minus plain",
                "bands received",
                f"difference of the {label}",
                [_line("", rows, f"{key}_gap")],
                ticks=x,
                zero=True,
            ),
        )
    ]
    heading = bars(settings)
    title = f"Figure 6: {name} over the bandwidth, by the decoder"
    facts = {"betas_chosen": betas, "originals": floor}
    figures = {"figure.png": lambda path: pictures.panels(panels, path, heading=heading)}
    return Result(title, columns, rows, claims, figures, remarks, facts)


def chosen_systems(cells, records):
    """The records of every system at its best beta, chosen by the validation error averaged over 1 .. T bands and seeds.

    Returns:
      `dict` from a label to a list of `Record`s, one for each seed; and one from a label to that beta.
    """
    found = {}
    for cell in cells:
        found.setdefault(cell.label, {}).setdefault(cell.beta, []).append(records[cell.name])
    bands = range(1, cells[0].config.channel.bands + 1)

    def error(each):
        return np.mean([[record.validation[f"mse_bands_{b}"] for b in bands] for record in each])

    betas = {label: min(by_beta, key=lambda beta: error(by_beta[beta])) for label, by_beta in found.items()}
    return {label: found[label][beta] for label, beta in betas.items()}, betas


def decrease(text, curve, bands):
    """The claim that a curve decreases strictly from one band on.

    Args:
      text: `str`.
      curve: `dict` from the number of bands to `Quantity`s, one for each seed.
      bands: `int`.
    """
    return Claim(text, tuple(compare(f"B = {b} to {b + 1}", curve[b + 1], curve[b]) for b in range(1, bands)))


def line_fit(values):
    """Least-squares line through values at 1, 2, ..: `(slope, R^2)`."""
    y = np.asarray(values, np.float64)
    x = np.arange(1.0, len(y) + 1)
    slope, offset = np.polyfit(x, y, 1)
    total = np.sum((y - y.mean()) ** 2)
    return float(slope), float(1 - np.sum((y - slope * x - offset) ** 2) / total) if total > 0 else 1.0


def _fits(curve, bands):
    seeds = list(zip(*(curve[b] for b in range(1, bands + 1))))
    return {
        key: [combined(lambda *values, index=index: line_fit(values)[index], *each) for each in seeds]
        for index, key in enumerate(("slope", "r_squared"))
    }


def _curves(records, pattern, bands):
    return {b: [record.metrics[pattern.format(b)] for record in records] for b in range(bands + 1)}


def _differences(curve, other):
    """`curve - other` at every number of bands, of each seed."""
    return {b: [combined(lambda x, y: x - y, *pair) for pair in zip(curve[b], other[b], strict=True)] for b in curve}


def _beta_remark(betas):
    return "beta: " + ", ".join(f"{beta:.3g} ({label})" for label, beta in betas.items()) + "."


def _line(label, rows, key):
    return pictures.Line(label, [row["bands"] for row in rows], *zip(*(row[key] for row in rows)))


def _number(estimate):
    value, error = estimate
    return f"{value:.4g}" + ("" if error is None else f" ± {error:.2g}")
