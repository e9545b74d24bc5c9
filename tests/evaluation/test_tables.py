"""tfcoded.evaluation.tables against the paper's own text: every heading, every row, every cell.

paper_tables.tsv is that text, word for word: 21 captions, headings and rows, columns separated by tabs.
"""

import csv
import io
import json
import pathlib
import re
import subprocess
import sys

import pytest

from tfcoded import config as configuration, zoo
from tfcoded.evaluation import paper_tables, tables
from tfcoded.utils.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def paper():
    """Table number -> caption, headings, rows as the paper prints them."""
    found = {}
    for block in (ROOT / "tests/paper_tables.tsv").read_text(encoding="utf-8").strip().split("\n\n"):
        caption, *lines = block.split("\n")
        number, caption = re.fullmatch(r"Table (\d+): (.+)\.", caption).groups()
        headings, *rows = (line.replace(r"$\alpha = 0.5$", "α = 0.5").split("\t") for line in lines)
        found[int(number)] = caption.replace("‘", "'").replace("’", "'"), headings, rows
    return found


PAPER = paper()


def as_number(text):
    power = re.fullmatch(r"\$(.+) \\cdot 10\^\{(-\d+)\}\$", text)
    return float(f"{power[1]}e{power[2]}" if power else text.replace(",", ""))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def body(number, **arguments):
    """The lines of a Markdown table without title, headings, rule and footnotes; and the whole text."""
    text = tables.render(number, **arguments)
    return [cells(line) for line in text.splitlines() if line.startswith("|")][2:], text


@pytest.mark.parametrize("number", range(1, 22))
def test_every_cell_of_the_paper(number, tmp_path):
    caption, headings, expected = PAPER[number]
    rows, text = body(number, runs_dir=tmp_path)
    assert text.startswith(f"**Table {number}: {caption}.**\n")
    assert cells(text.splitlines()[2])[3:] == headings[1:]
    published = [row for row in rows if row[1] == "paper"]
    assert [row[0] for row in published] == [row[0] for row in expected]
    for found, row in zip(published, expected):
        numbers = [as_number(cell.partition(" [")[0]) for cell in found[3:]]
        assert numbers == [as_number(cell) for cell in row[1:]], row[0]
    ours = [row for row in rows if row[1] == "here"]
    assert [row[0] for row in ours] == [row[0] for row in expected]
    assert number == 18 or all(set(row[2:]) == {"-"} for row in ours)
    assert len(rows) == 2 * len(expected)


def test_a_row_of_a_table_is_an_entry_that_names_the_table():
    expected = {(entry, f"Table {number}") for number, table in paper_tables.TABLES.items() for _, entry in table.rows}
    entries = [entry for entry in map(zoo.config, zoo.list()) if isinstance(entry, configuration.Config)]
    named = {(entry.name, place) for entry in entries for place in entry.tables if place != "Figure 5"}
    assert named == expected


@pytest.mark.parametrize("name", [name for name in zoo.list() if zoo.config(name).published])
def test_every_published_number_is_in_a_table(name):
    entry = zoo.config(name)
    shown = {}  # metric -> numbers in its column of the tables that the entry names
    for place in entry.tables:
        if place.startswith("Table "):
            rows = csv.DictReader(io.StringIO(tables.render(int(place[6:]), format="csv")))
            (row,) = (row for row in rows if (row["entry"], row["source"]) == (name, "paper"))
            for metric, _ in paper_tables.TABLES[int(place[6:])].columns:
                shown.setdefault(metric, set()).add(float(row[metric]))
    if "Figure 5" in entry.tables:
        shown.setdefault("entropy", set()).add(entry.published["entropy"])
    published = {metric: {value} for metric, value in entry.published.items()}
    for metric, others in entry.conflicts.items():
        published[metric] |= set(others.values())
    assert shown == published


def measure(folder, entry, file="metrics.json", **content):
    (folder / entry).mkdir(parents=True, exist_ok=True)
    (folder / entry / file).write_text(json.dumps({"name": entry, **content}))


def metric(value, error=None):
    return {"value": value, "standard_error": error}


def ours(number, entry_row, **arguments):
    """Our row of a table, heading -> cell."""
    text = tables.render(number, **arguments)
    lines = [cells(line) for line in text.splitlines() if line.startswith("|")]
    (row,) = (line for line in lines if line[0] == entry_row and line[1].startswith("here"))
    return dict(zip(lines[0], row)), text


def test_measured_numbers_of_both_splits_with_their_errors(tmp_path):
    measure(
        tmp_path,
        "coded_5_50_mnist",
        split="test",
        epochs=20,
        images=10000,
        metrics={
            "psnr": metric(14.7654, 0.0123),
            "ssim": metric(0.61, 0.0),
            "accuracy": metric(0.9),
            "ber": metric(0.0012345, 0.000012),
            "wer_map": metric(0.00001),
        },
    )
    train = {"psnr": metric(15.25, 0.5), "ber": metric(0.9, 0.1)}
    measure(tmp_path, "coded_5_50_mnist", "metrics_train.json", split="train", epochs=20, metrics=train)
    row, text = ours(2, "coded 5/50", zoo_dir=tmp_path)
    assert row["epochs"] == "20 of 100"
    assert row["PSNR (test)"] == "14.765 ± 0.012" and row["PSNR (train)"] == "15.25 ± 0.50"
    assert row["SSIM (test)"] == "0.610 ± 0.000" and row["Acc (test)"] == "0.900"
    assert row["SSIM (train)"] == row["Entropy"] == "-"
    assert "[1]" not in text
    row, _ = ours(3, "coded 5/50", zoo_dir=tmp_path)
    assert row["BER"] == "0.001234 ± 0.000012" and row["WER MAP"] == "1.00e-05"

    rows = list(csv.DictReader(io.StringIO(tables.render(2, tmp_path, format="csv"))))
    assert rows[2] | {"entry": "coded_5_50_mnist", "source": "paper", "psnr": "14.888", "epochs": "100"} == rows[2]
    assert rows[3] | {"table": "2", "model": "coded 5/50", "source": "here", "epochs": "20 of 100"} == rows[3]
    assert (rows[3]["psnr"], rows[3]["psnr_standard_error"]) == ("14.7654", "0.0123")
    assert (rows[3]["accuracy"], rows[3]["accuracy_standard_error"], rows[3]["ssim_train"]) == ("0.9", "", "")


def test_training_runs_instead_of_the_zoo(tmp_path):
    there, runs = tmp_path / "zoo", tmp_path / "runs"
    runs.mkdir()
    measure(there, "uncoded_8", epochs=200, metrics={"ber": 0.089})
    assert ours(13 + 3, "15", zoo_dir=there)[0]["BER"] == "0.089"
    assert ours(16, "15", zoo_dir=there, runs_dir=runs)[0]["BER"] == "-"
    measure(runs, "uncoded_8", epochs=3, images=500, training={"train_images": 256}, metrics={"ber": 0.3})
    changed = configuration.override(zoo.config("uncoded_8"), ["batch_size=64", "epochs=3"])
    (runs / "uncoded_8/config.yaml").write_text(configuration.to_yaml(changed))
    row, text = ours(16, "15", zoo_dir=there, runs_dir=runs)
    assert (row["BER"], row["epochs"], row[""]) == ("0.300", "3 of 200", "here [1]")
    assert text.splitlines()[-1] == (
        "[1] trained on 256 of 60000 images; measured on 500 of 10000 test images; "
        "trained with training.batch_size 64, not 128"
    )
    notes = [row["notes"] for row in csv.DictReader(io.StringIO(tables.render(16, there, runs, "csv")))]
    assert [note for note in notes if note] == [text.splitlines()[-1][4:]]


@pytest.mark.parametrize("where", ["metrics.json", "run.json"])
def test_a_run_from_given_weights_is_no_training_from_scratch(tmp_path, where):
    facts = {"training": {"initial_weights": "zoo/uncoded_8"}} if where == "metrics.json" else {}
    measure(tmp_path, "uncoded_8", epochs=1, metrics={"ber": 0.3}, **facts)
    if where == "run.json":  # measured again, by evaluate
        (tmp_path / "uncoded_8" / "run.json").write_text('{"initial_weights": "zoo/uncoded_8"}')
    row, text = ours(16, "15", runs_dir=tmp_path)
    assert (row["BER"], row["epochs"], row[""]) == ("0.300", "1 after other weights", "here [1]")
    note = "[1] trained from the weights of zoo/uncoded_8, not from random ones as the paper's"
    assert text.splitlines()[-1] == note


def test_a_run_of_other_images_is_left_out(tmp_path):
    measure(tmp_path, "uncoded_8", epochs=1, metrics={"ber": 0.3})
    changed = configuration.override(zoo.config("uncoded_8"), ["dataset=/data/mine"])
    (tmp_path / "uncoded_8/config.yaml").write_text(configuration.to_yaml(changed))
    row, text = ours(16, "15", runs_dir=tmp_path)
    assert (row["BER"], row["epochs"]) == ("-", "-")
    assert text.splitlines()[-1] == f"[1] left out: {tmp_path}/uncoded_8 is a training on /data/mine"


def test_how_a_likelihood_was_measured_has_a_footnote(tmp_path):
    facts = {
        "images": 5,
        "samples": 300,
        "space": "z",
        "omega": 0.5,
        "prior": "fitted",
        "a": [0.2, 0.4],
        "b": [0.5, 0.5],
    }
    metrics = {"log_likelihood": -250.0, "effective_sample_size": 41.7}
    measure(tmp_path, "uncoded_8", metrics=metrics, likelihood={"log_likelihood": facts})
    changed = configuration.override(zoo.config("uncoded_8"), ["objective.kind=reinforce_loo", "objective.samples=2"])
    (tmp_path / "uncoded_8/config.yaml").write_text(configuration.to_yaml(changed))
    row, text = ours(17, "15", runs_dir=tmp_path)
    assert any(value.startswith("-250") and "[" in value for value in row.values())
    how = "log-likelihood of 5 images by 300 samples (space z, omega 0.5), fitted Beta prior, a 0.20 to 0.40, b 0.50"
    assert f"{how}, median effective sample size 42 (another prior)" in text
    assert any(value.startswith("-250.000 (another prior) [") for value in row.values())
    rows = csv.DictReader(io.StringIO(tables.render(17, runs_dir=tmp_path, format="csv")))
    assert any(row["log_likelihood"] == "-250" and "another prior" in row["notes"] for row in rows)
    # Settings that one of the two kinds of training lacks.
    assert "trained with objective.kind reinforce_loo, not elbo" in text and "objective.exact_kl True, not -" in text


def test_an_enumerated_likelihood_has_no_other_prior(tmp_path):
    facts = {"images": 5, "words": 256, "draws": 8, "monte_carlo_error": 1.0, "bias": None, "bias_at_most": None}
    likelihood = {"log_likelihood": facts | {"twice_the_samples": 2.0}}
    measure(tmp_path, "uncoded_8", metrics={"log_likelihood": -250.0}, likelihood=likelihood)
    row, text = ours(17, "15", runs_dir=tmp_path)
    assert any(value.startswith("-250.000 (lower bound) [") for value in row.values())
    assert "by enumeration of 256 words, 8 draws of z for each; " in text and "another prior" not in text


def test_a_number_that_the_paper_contradicts_has_a_footnote():
    lines = tables.render(19).splitlines()
    entropies = {tuple(cells(line)[:2]): cells(line)[-1] for line in lines if line.startswith("|")}
    assert entropies["uncoded 8", "paper"] == "0.659 [1]" and entropies["coded 8/240", "paper"] == "4.609 [2]"
    assert lines[-2].rstrip() == "[1] Figure 5, Table 9, Table 15 of the paper: 0.467"
    assert lines[-1] == "[2] Figure 5, Table 9, Table 12 of the paper: 4.000"
    assert "entropy: Figure 5, Table 9, Table 15 of the paper: 0.467" in tables.render(19, format="csv")
    assert "[1]" not in tables.render(9)


def test_parameters_are_the_configurations_unless_they_were_counted(tmp_path):
    measure(tmp_path, "uncoded_8", metrics={"encoder_parameters": 6592007})
    row, text = ours(18, "uncoded 8", runs_dir=tmp_path)
    assert row["# encoder parameters"] == "6,592,007" and row["# decoder parameters"] == "19,341,185 [1]"
    assert row["epochs"] == "? of 200"
    assert text.splitlines()[-1].startswith("[1] the configuration's count")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda folder: tables.render(0), "no table 0; expected one of the paper's tables 1 to 21"),
        (lambda folder: tables.render(22), "no table 22"),
        (lambda folder: tables.render(1, format="html"), "unknown format 'html'; expected markdown or csv"),
        (lambda folder: tables.render(1, runs_dir=folder / "absent"), "absent', which is no folder"),
        (
            lambda folder: tables.render(16, runs_dir=folder / "other"),
            "measures 'coded_8_80'; expected .*'uncoded_8'",
        ),
        (lambda folder: tables.render(16, runs_dir=folder / "twice"), "both measure the test images"),
        (
            lambda folder: tables.render(16, runs_dir=folder / "split"),
            "the split 'all'; expected test or train",
        ),
        (lambda folder: tables.render(16, runs_dir=folder / "damaged"), "is damaged"),
    ],
)
def test_mistakes(call, message, tmp_path):
    measure(tmp_path / "other", "uncoded_8", metrics={})
    content = (tmp_path / "other/uncoded_8/metrics.json").read_text()
    (tmp_path / "other/uncoded_8/metrics.json").write_text(content.replace("uncoded_8", "coded_8_80"))
    measure(tmp_path / "twice", "uncoded_8", metrics={})
    measure(tmp_path / "twice", "uncoded_8", "metrics_train.json", metrics={})
    measure(tmp_path / "split", "uncoded_8", split="all", metrics={})
    measure(tmp_path / "damaged", "uncoded_8", metrics=3)
    with pytest.raises(UserError, match=message):
        call(tmp_path)


def test_no_tensorflow_is_imported():
    code = "import sys; from tfcoded.evaluation import tables; tables.render(1); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
