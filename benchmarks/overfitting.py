"""How far the zoo's models were trained, judged by their overfitting, against the paper's.

    python -m benchmarks.overfitting

Reads what was recorded of the Coded-DVAEs (metrics.json, metrics_train.json, history.json) and trains nothing.
Training images less test images, the difference in PSNR is so many times larger in the paper. The difference of E log
p(x given z) would be as many times larger at the epoch in the next column if it went on growing as it did from epoch
40 on; and there the entropy of the test images would be the one in the last but one column if it went on falling with
the logarithm of the epoch as it did from epoch 40 on. Means to compare the models, no predictions.
"""

import math
import statistics

from tfcoded import cli, zoo
from tfcoded.evaluation.measurement import published_on
from tfcoded.runs import workdir

_FIRST, _HALF = 40, 2  # the epoch from which on growth is measured, and how many beside it are averaged
_HEADINGS = (
    "",
    "PSNR, dB, training less test images",
    "published",
    "times",
    "so large at epoch",
    "of published epochs",
    "entropy, bits",
    "at that epoch",
    "published",
)


def around(values, epoch):
    """The mean over the five epochs around one; `values` is a list of `float`, one for each epoch from 1 on."""
    return statistics.fmean(values[epoch - 1 - _HALF : epoch + _HALF])


def equal_epoch(differences, times):
    """When the last of `differences` would be `times` as large, by a straight line from epoch 40 to the last two.

    Args:
      differences: list of `float`, one for each epoch from 1 on.
      times: `float`.
    """
    last = len(differences) - _HALF
    here = around(differences, last)
    return last + (times - 1) * here * (last - _FIRST) / (here - around(differences, _FIRST))


def by_logarithm(values, epoch):
    """The value at a later epoch, by least squares over the logarithms of the epochs from 40 on."""
    logarithms = [math.log(number) for number in range(_FIRST, len(values) + 1)]
    slope, start = statistics.linear_regression(logarithms, values[_FIRST - 1 :])
    return start + slope * math.log(epoch)


def row(name):
    """The cells of one entry's row, `str`s, or `None` if one of the numbers is missing."""
    files = ("metrics.json", "metrics_train.json", "history.json")
    paths = [zoo.measured_path(name, file) for file in files]
    config = zoo.config(name)
    published = {split: published_on(config.published, split) for split in ("train", "test")}
    if None in paths or any("psnr" not in numbers for numbers in published.values()):
        return None
    test, train = (zoo.read_record(path)["metrics"] for path in paths[:2])
    history = workdir.read_history(paths[2].parent)
    both = zip(history["reconstruction"], history["val_reconstruction"], strict=True)
    here = train["psnr"].value - test["psnr"].value
    there = published["train"]["psnr"] - published["test"]["psnr"]
    epoch = equal_epoch([training - tested for training, tested in both], there / here)
    entropies = [config.information_bits - kl / math.log(2) for kl in history["val_kl"]]
    return [
        f"`{name}`",
        f"{here:.3f}",
        f"{there:.3f}",
        f"{there / here:.1f}",
        f"{epoch:.0f}",
        f"{epoch / config.training.epochs:.1f} times {config.training.epochs}",
        f"{test['entropy'].value:.3f}",
        f"{by_logarithm(entropies, epoch):.3f}",
        f"{published['test']['entropy']:.3f}",
    ]


def table():
    """The table of all trained models with a repetition code, Markdown."""
    coded = [name for name in zoo.trained() if name.startswith("coded_")]
    rows = [cells for cells in map(row, coded) if cells is not None]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (_HEADINGS, ["---"] * len(_HEADINGS), *rows))


def main():
    print(table())


if __name__ == "__main__":
    cli.run(main)
