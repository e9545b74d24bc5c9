"""The numbers of README and docs/ are those of the files that commands wrote."""

import csv
import json
import pathlib
import re

import pytest

from export import storages
from tfcoded import families, zoo
from tfcoded.evaluation import tables

ROOT = pathlib.Path(__file__).resolve().parents[1]
README, RESULTS, STORAGE, CHANNELS = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/results.md", "docs/storage.md", "docs/channels.md")
)
TRAINED = [
    name
    for name in zoo.trained()
    if not name.startswith(zoo.CLASSIFIER) and families.of(zoo.config(name)).name == "coded_dvae"
]


def rows_of(text):
    """The lines of the tables in a text, as cells; headings too, but not the rules below them."""
    lines = [line for line in text.splitlines() if re.match(r"\|(?![ |:-]+$)", line)]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def table(text, section):
    """(heading, {name: cells}) of the first table with entries in a section."""
    for paragraph in text.split(f"\n## {section}\n")[1].split("\n## ")[0].split("\n\n"):
        if "\n| `" in paragraph:
            heading, *rows = rows_of(paragraph)
            return heading[1:], {row[0].strip("`"): row[1:] for row in rows}
    raise AssertionError(f"no table in {section}")


def number(value):
    return "-" if value is None else tables.formatted(zoo.Measurement(value, None))


def test_the_table_of_storages_is_what_was_measured():
    content = json.loads((ROOT / "experiments" / "storages" / "coded_10_300.json").read_text())
    measured = rows_of(storages.table(content))
    shown = rows_of(STORAGE.split("## What rounding changes")[1].split("\n## ")[0])
    names = ("storage", "MB", "psnr", "accuracy", "entropy", "elbo", "log_likelihood_hard", "ber")
    columns = [measured[0].index(name) for name in names]
    assert shown[1:] == [[row[column] for column in columns] for row in measured[1:]]
    assert content["chosen"] == "compensated"


@pytest.mark.parametrize("name", TRAINED)
def test_a_model_is_stored_in_the_smallest_form_that_passed(name):
    content = json.loads((ROOT / "experiments" / "storages" / f"{name}.json").read_text())
    record = zoo.read_record(zoo.measured_path(name))
    assert content["chosen"] == record["storage"] and content["epochs"] == record["epochs"]
    # After the comparison the models were written again, with the same numbers and more in their graphs.
    assert 0 <= record["bytes"] - content["storages"][record["storage"]]["bytes"] < 0.12e6
    assert record["bytes"] < 16e6


_METRICS = {
    "PSNR, dB": "psnr",
    "SSIM": "ssim",
    "accuracy": "accuracy",
    "entropy, bits": "entropy",
    "BER": "ber",
    "WER": "wer",
}


@pytest.mark.parametrize(
    "section", ["Reconstruction and errors", "Words alone", "Use of words and certainty", "Against the paper"]
)
def test_the_tables_have_all_trained_models(section):
    assert sorted(table(RESULTS, section)[1]) == sorted(TRAINED)


@pytest.mark.parametrize("name", TRAINED)
def test_reconstruction_and_errors(name):
    (*columns, last), rows = table(RESULTS, "Reconstruction and errors")
    assert columns[::2] == ["PSNR, dB", "accuracy", "entropy, bits", "BER", "WER"]
    assert set(columns[1::2]) == {"published"} and last == "words used"
    config, measured = zoo.config(name), zoo.measured(name)
    expected = []
    for metric in (_METRICS[column] for column in columns[::2]):
        expected += [number(measured[metric].value), number(config.published.get(metric))]
    assert rows[name] == [*expected, f"{measured['words_used'].value:.0f} of {2**config.information_bits}"]


def test_the_readme_has_the_same_numbers():
    (*columns, last), rows = table(README, "Results")
    assert columns[::2] == ["PSNR, dB", "accuracy", "BER"] and last == "PSNR, words alone"
    assert len(rows) >= 5
    for name, cells in rows.items():
        config, measured = zoo.config(name), zoo.measured(name)
        expected = []
        for metric in (_METRICS[column] for column in columns[::2]):
            expected += [number(measured[metric].value), number(config.published.get(metric))]
        assert cells == [*expected, number(measured["psnr_words"].value)]


def test_what_the_readme_says_that_coding_buys():
    """PSNR rises and that of words alone falls, accuracy rises in both cases, and more words are used."""
    assert "it raises PSNR where the decoder sees the posterior's code" in README
    for name in TRAINED:
        config, coded = zoo.config(name), zoo.measured(name)
        without = f"uncoded_{config.information_bits}{'_mnist' if config.dataset == 'mnist' else ''}"
        if without not in TRAINED or name == without:
            continue
        plain = zoo.measured(without)
        assert coded["psnr"].value > plain["psnr"].value and coded["psnr_words"].value < plain["psnr_words"].value
        assert all(coded[each].value > plain[each].value for each in ("accuracy", "accuracy_words", "words_used"))


def test_what_coding_buys():
    shown = rows_of(RESULTS.split("\n## What coding buys\n")[1].split("\n## ")[0])[1:]
    for bits, copies, *gains in shown:
        names = [f"coded_{bits}_{int(bits) * int(number)}" for number in copies.split(", ")]
        for said, metric, digits in zip(gains, ("psnr", "accuracy"), (1, 2), strict=True):
            plain = zoo.measured(f"uncoded_{bits}")[metric].value
            assert said == ", ".join(f"{zoo.measured(name)[metric].value - plain:.{digits}f}" for name in names)
    assert [row[0] for row in shown] == ["5", "8", "10"]


def test_the_standard_errors_are_as_large_as_is_said():
    (names, bounds, *_) = rows_of(RESULTS.split("The largest standard errors are:")[1])
    for metric, bound in zip((_METRICS[name] for name in names), map(float, bounds), strict=True):
        largest = max(zoo.measured(name)[metric].standard_error for name in TRAINED)
        assert 0.8 * bound < largest <= bound, metric
    assert "The standard errors of SSIM are at most 0.0020" in RESULTS
    assert max(zoo.measured(name)["ssim"].standard_error for name in TRAINED) <= 0.0020


def test_the_models_were_trained_for_as_long_as_is_said():
    assert "120 epochs (the paper: 200 for Fashion-MNIST, 100 for MNIST)" in RESULTS
    assert "trained for 120 epochs (published: 200, MNIST 100)" in README
    for name in TRAINED:
        assert zoo.read_record(zoo.measured_path(name))["epochs"] == 120
        assert zoo.config(name).training.epochs == (100 if name.endswith("_mnist") else 200)


@pytest.mark.parametrize("name", TRAINED)
def test_words_alone(name):
    heading, rows = table(RESULTS, "Words alone")
    measured = zoo.measured(name)
    assert rows[name] == [tables.formatted(measured[f"{_METRICS[column]}_words"]) for column in heading]


@pytest.mark.parametrize("name", TRAINED)
def test_use_of_words_and_certainty(name):
    _, rows = table(RESULTS, "Use of words and certainty")
    measured = zoo.measured(name)
    used = f"{measured['words_used'].value:.0f} of {2 ** zoo.config(name).information_bits}"
    assert rows[name] == [used, *(tables.formatted(measured[key]) for key in ("wer_map", "overconfidence_words"))]


@pytest.mark.parametrize("name", TRAINED)
def test_differences_from_the_paper(name):
    heading, rows = table(RESULTS, "Against the paper")
    expected = []
    for column in heading:
        metric, suffix = _METRICS[column.replace(", training images", ", dB" * column.startswith("PSNR"))], ""
        if "training images" in column:
            suffix = "_train"
        record = zoo.read_record(zoo.measured_path(name, f"metrics{suffix}.json"))
        published = zoo.config(name).published.get(metric + suffix)
        expected.append("-" if published is None else f"{record['metrics'][metric].value - published:+.3f}")
    assert rows[name] == expected


def test_the_gaps_of_figure_4_are_those_of_its_table():
    with (ROOT / "experiments/cifar10_smoke/bwlc_fig4/table.csv").open() as file:
        measured = list(csv.DictReader(file))
    shown = rows_of(CHANNELS.split("Joint and separate systems")[1])[1:]
    for row, (snr, joint, rival, gap, _) in zip(measured, shown, strict=False):
        better = row["nothing_mse" if row["rival"] == "nothing sent" else "separate_mse"]
        said = [snr, *(f"{float(text.split()[0]):.4f}" for text in (joint, rival)), gap]
        numbers = [f"{float(row['joint_mse']):.4f}", f"{float(better):.4f}", f"{float(row['relative_gap']):.0%}"]
        assert said == [row["snr"], *numbers]


def test_the_likelihoods_of_words_are_those_of_their_files():
    rows = []
    for draws in (4, 64, 256):
        name = f"likelihood/coded_8_240_{draws}_draws.json"
        record = zoo.read_record(ROOT / "experiments" / name)
        facts, (value, error) = record["likelihood"]["log_likelihood_hard"], record["metrics"]["log_likelihood_hard"]
        assert (facts["draws"], facts["images"], facts["bias_at_most"]) == (draws, 500, None)
        more = f"{facts['monte_carlo_error']:.2f} | {facts['twice_the_samples']:.2f}"
        rows.append(f"| [{draws}](../experiments/{name}) | {value:.1f} ± {error:.1f} | {more} |")
    assert "\n".join(rows) in RESULTS
    uncoded = zoo.measured("uncoded_8")["log_likelihood"]
    assert f"| at least {uncoded.value:.1f} ± {uncoded.standard_error:.1f} | -249.88 |" in RESULTS
