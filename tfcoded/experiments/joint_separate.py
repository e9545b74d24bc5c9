"""Figures 4 and 8: joint against separate systems, at every signal-to-noise ratio and beta.

A system that errs more than the mean image, which answers without anything sent, is worth nothing. So joint systems are
compared with the smaller of two errors: of the separate system, and of sending nothing.
"""

import math

import numpy as np

from tfcoded import pictures
from tfcoded.experiments import plan
from tfcoded.experiments.claims import Claim, compare
from tfcoded.experiments.quantity import combined, over_seeds
from tfcoded.experiments.report import Result

SYSTEMS = ("joint", "separate")
_NOTHING = (
    f"{plan.NothingSent.label}: every image is answered by the mean of the training images; the error is over images."
)
_GAP = "1 - joint / min(separate, nothing sent)"


def at_best_beta(cells, records, settings):
    """Figure 4: test error of both systems at the beta that is best on the validation images, and of sending nothing.

    The joint system is compared with the separate one, or with sending nothing where that errs less on the validation
    images.

    Args:
      cells: `tfcoded.experiments.plan.Cell`s.
      records: `dict` from a cell's name to its `tfcoded.experiments.records.Record`.
      settings: `tfcoded.experiments.plan.Settings`.

    Returns:
      `tfcoded.experiments.report.Result`.
    """
    found, nothing = _by_place(cells, records)
    sent_nothing = [nothing.metrics["mse"]] * len(settings.seeds)

    # The table: a row for each SNR. beta and the rival are chosen on the validation images, and measured on the others.
    rows, chosen, gaps, rivals = [], {}, {}, {}
    for snr in settings.snrs:
        row = {"snr": snr, "decibel": 10 * math.log10(snr), "capacity": _capacity(cells, snr)}
        for system in SYSTEMS:
            beta = best_beta({b: each for (kind, s, b), each in found.items() if (kind, s) == (system, snr)})
            chosen[system, snr] = [record.metrics["mse"] for record in found[system, snr, beta]]
            row |= {f"{system}_beta": beta, f"{system}_mse": over_seeds(chosen[system, snr])}
        validation = np.mean([record.validation["mse"] for record in found["separate", snr, row["separate_beta"]]])
        better = nothing.validation["mse"] < validation
        rivals[snr] = sent_nothing if better else chosen["separate", snr]
        row |= {"nothing_mse": over_seeds(sent_nothing[:1]), "rival": plan.NothingSent.label if better else "separate"}
        gaps[snr] = _relative_gaps(chosen["joint", snr], rivals[snr])
        rows.append(row | {"relative_gap": over_seeds(gaps[snr])})
    columns = (
        ("snr", "SNR"),
        ("decibel", "dB"),
        ("capacity", "capacity, bits per image"),
        *(
            (f"{system}_{key}", f"{system} {heading}")
            for system in SYSTEMS
            for key, heading in (("beta", "beta"), ("mse", "MSE"))
        ),
        ("nothing_mse", f"{plan.NothingSent.label}, MSE"),
        ("rival", "compared with"),
        ("relative_gap", _GAP),
    )

    # What the paper says of its figure, and whether it is so here.
    order = [
        compare(f"SNR {row['snr']:g}, against {row['rival']}", chosen["joint", row["snr"]], rivals[row["snr"]])
        for row in rows
    ]
    claims = [
        Claim(
            "the error of the joint system is below that of the separate one, and of sending nothing, at every SNR",
            tuple(order),
        ),
        _ends(settings.snrs, gaps),
    ]

    ticks = list(settings.snrs)
    lines = [_line(system, rows, f"{system}_mse") for system in SYSTEMS]
    lines.append(_line(plan.NothingSent.label, rows, "nothing_mse"))
    panels = [
        pictures.Panel("test error at the best beta", "SNR", "MSE", lines, log_x=True, ticks=ticks),
        pictures.Panel(
            "relative gap, joint better above 0",
            "SNR",
            _GAP,
            [_line("", rows, "relative_gap")],
            log_x=True,
            ticks=ticks,
            zero=True,
        ),
    ]

    heading = f"{bars(settings)}; {plan.NothingSent.label}: over images"
    title = "Figure 4: error of joint and separate systems over the signal-to-noise ratio"
    remarks = ["beta is the one with the smallest validation error, averaged over seeds, of each system and SNR."]
    remarks.append(
        f"{_NOTHING} The relative gap and the claims compare the joint system with it wherever it errs less on the"
        " validation images than the separate one."
    )
    remarks += _of_the_grid(plan.betas_of(cells)) + _at_the_edge(rows, plan.betas_of(cells))
    figures = {"figure.png": lambda path: pictures.panels(panels, path, heading=heading)}
    return Result(title, columns, rows, claims, figures, remarks)


def at_every_beta(cells, records, settings):
    """Figure 8: the same without a choice of beta. Arguments and result as in `at_best_beta`."""
    found, nothing = _by_place(cells, records)
    betas = plan.betas_of(cells)

    # The table: a row for each SNR and beta.
    rows = []
    for snr in settings.snrs:
        for beta in betas:
            row = {"snr": snr, "beta": beta}
            for system in SYSTEMS:
                each = found[system, snr, beta]
                row[f"{system}_mse"] = over_seeds([record.metrics["mse"] for record in each])
                row[f"{system}_validation_mse"] = float(np.mean([record.validation["mse"] for record in each]))
                row[f"{system}_rate"] = over_seeds([record.metrics["rate"] for record in each])
            both = ([record.metrics["mse"] for record in found[system, snr, beta]] for system in SYSTEMS)
            row["nothing_mse"] = over_seeds([nothing.metrics["mse"]])
            rows.append(row | {"relative_gap": over_seeds(_relative_gaps(*both))})
    columns = (
        ("snr", "SNR"),
        ("beta", "beta"),
        *((f"{system}_mse", f"{system} MSE") for system in SYSTEMS),
        ("nothing_mse", f"{plan.NothingSent.label}, MSE"),
        ("relative_gap", "1 - joint / separate"),
        *((f"{system}_validation_mse", f"{system} validation MSE") for system in SYSTEMS),
        *((f"{system}_rate", f"{system} rate, bits per image") for system in SYSTEMS),
    )

    # Two figures: heat maps of the errors, and the same as curves with the gaps beside them.
    maps = {
        f"{system}: test MSE": [[row[f"{system}_mse"][0] for row in rows if row["snr"] == snr] for snr in settings.snrs]
        for system in SYSTEMS
    }
    at_snr = {f"SNR {snr:g}": [row for row in rows if row["snr"] == snr] for snr in settings.snrs}
    panels = [
        pictures.Panel(
            name,
            "beta",
            "MSE",
            [
                _line(label, some, key, "beta")
                for label, key in (*((s, f"{s}_mse") for s in SYSTEMS), (plan.NothingSent.label, "nothing_mse"))
            ],
            log_x=True,
        )
        for name, some in at_snr.items()
    ]
    gaps = [_line(name, some, "relative_gap", "beta") for name, some in at_snr.items()]
    panels += [
        pictures.Panel(
            "relative gap, joint better above 0",
            "beta",
            "1 - joint / separate",
            gaps[start : start + 6],
            log_x=True,
            zero=True,
        )
        for start in range(0, len(gaps), 6)
    ]

    heading = f"{bars(settings)}; {plan.NothingSent.label}: over images"
    names = [f"{snr:g}" for snr in settings.snrs], [f"{beta:.3g}" for beta in betas]
    figures = {
        "figure.png": lambda path: pictures.heat_maps(
            maps, path, rows=names[0], columns=names[1], labels=("SNR", "beta")
        ),
        "lines.png": lambda path: pictures.panels(panels, path, heading=heading),
    }
    title = "Figure 8: error of joint and separate systems at every beta"
    claims = [_sensitivity(found, betas, settings), _sensitivity(found, betas, settings, nothing.metrics["mse"])]
    return Result(title, columns, rows, claims, figures, [_NOTHING, *_worse_than_nothing(rows), *_of_the_grid(betas)])


def bars(settings):
    """What the bars of a figure show, `str`.

    Args:
      settings: `tfcoded.experiments.plan.Settings`.
    """
    seeds = len(settings.seeds)
    over, one = (f"{seeds} seeds", "seed") if seeds > 1 else ("images", "image")
    return f"bars: one standard error over {over}; gaps and differences are taken {one} by {one}"


def best_beta(records):
    """The beta with the smallest validation error, averaged over seeds.

    Args:
      records: `dict` from beta to a list of `Record`s, one for each seed.
    """
    means = {beta: np.mean([record.validation["mse"] for record in each]) for beta, each in records.items()}
    return min(means, key=means.get)


def _by_place(cells, records):
    """`(system, snr, beta)` -> list of `Record`s, one for each seed in the order of the seeds; and that of `NothingSent`."""
    found = {}
    for cell in cells:
        if cell.runs:
            found.setdefault((cell.label, cell.snr, cell.beta), []).append(records[cell.name])
    return found, records[plan.NothingSent.name]


def _relative_gaps(joint, separate):
    """`1 - joint / separate` of each seed."""
    return [combined(lambda a, b: 1 - a / b, *pair) for pair in zip(joint, separate, strict=True)]


def _ends(snrs, gaps):
    """The claim that the relative gap is smaller at both ends than at its largest."""
    text = "the relative gap is smaller at both ends of the SNRs than at its largest in between"
    if len(snrs) < 3:
        return Claim(text, (), reason="needs at least three SNRs")
    ordered = sorted(snrs)
    middle = max(ordered[1:-1], key=lambda snr: over_seeds(gaps[snr])[0])
    ends = (ordered[0], ordered[-1])
    return Claim(text, tuple(compare(f"SNR {end:g} below SNR {middle:g}", gaps[end], gaps[middle]) for end in ends))


def _at_the_edge(rows, betas):
    """What to say of a beta that is chosen at an end of those tried, a list of at most one `str`."""
    if len(betas) == 1:  # nothing was chosen
        return []
    ends = betas[0], betas[-1]
    places = [f"{s} at SNR {row['snr']:g}" for s in SYSTEMS for row in rows if row[f"{s}_beta"] in ends]
    if not places:
        return []
    return [
        f"The best beta is the smallest or largest of those tried, and a better one may lie beyond: {', '.join(places)}."
    ]


def _of_the_grid(betas):
    """What to say if other betas were run than the configuration names, a list of at most one `str`."""
    if set(betas) == set(plan.BETAS):
        return []
    run, grid = (", ".join(f"{beta:.3g}" for beta in each) for each in (betas, plan.BETAS))
    return [f"Betas that were run: {run}. The configuration's grid is {grid}."]


def _worse_than_nothing(rows):
    """Where a system errs more than sending nothing, a list of at most one `str`."""
    places = [
        f"{system} at SNR {row['snr']:g} and beta {row['beta']:.3g}"
        for system in SYSTEMS
        for row in rows
        if row[f"{system}_mse"][0] > row["nothing_mse"][0]
    ]
    return [f"Worse than sending nothing: {', '.join(places)}."] if places else []


def _sensitivity(found, betas, settings, nothing=None):
    """The claim that joint systems depend more on beta; with `nothing`, where that is sent if it errs less."""
    text = "the error of joint systems varies more with beta (logarithm of worst / best, averaged over SNRs)"
    text += "; nothing is sent where a system errs more than that" if nothing is not None else ""
    if len(betas) < 2:
        return Claim(text, (), soft=True, reason="needs at least two betas")

    def spread(system, snr, index):
        each = [found[system, snr, beta][index].metrics["mse"] for beta in betas]
        if nothing is not None:
            each = [combined(min, error, nothing) for error in each]
        return combined(lambda *numbers: math.log(max(numbers) / min(numbers)), *each)

    def averaged(system, index):
        each = [spread(system, snr, index) for snr in settings.snrs]
        return combined(lambda *numbers: sum(numbers) / len(numbers), *each)

    both = [[averaged(system, index) for index in range(len(settings.seeds))] for system in ("separate", "joint")]
    return Claim(text, (compare("all SNRs", *both),), soft=True)


def _capacity(cells, snr):
    symbols = cells[0].config.channel.symbols
    return symbols * 0.5 * math.log2(1 + snr)


def _line(label, rows, key, x="snr"):
    return pictures.Line(label, [row[x] for row in rows], *zip(*(row[key] for row in rows)))
