"""The commands of READMEs and docstrings exist with the flags they are given, the Python runs, and links lead somewhere."""

import ast
import csv
import json
import pathlib
import re
import subprocess
import sys

import pytest

from export import storages
from tfcoded import families, zoo
from tfcoded.evaluation import tables
from tfcoded.zoo import verification

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = {
    name: (ROOT / name).read_text()
    for name in ("README.md", "experiments/published.md", "export/pjrt/README.md", "export/serving/README.md")
}
README = TEXTS["README.md"]
_MODULE = re.compile(r"python -m ((?:tfcoded|export|benchmarks)[\w.]*)([^\n`|]*)")


def docstrings():
    """Those of all modules, which `--help` shows of commands."""
    for folder in ("tfcoded", "export", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def used_flags():
    """module -> the flags that the texts give it."""
    found = {}
    for text in [*TEXTS.values(), *docstrings()]:
        for module, arguments in _MODULE.findall(re.sub(r"\\\n", " ", text)):
            flags = re.findall(r"--(?:no)?([a-z_0-9]+)", arguments.partition(" #")[0].partition("&&")[0])
            found.setdefault(module, set()).update(flags)
    return found


@pytest.mark.parametrize("module", sorted(used_flags()))
def test_flags_are_those_of_the_command(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    known = {"help"} | set(re.findall(r"--(?:\[no\])?([a-z_0-9]+)", done.stdout))
    assert {flag.removeprefix("no") if flag not in known else flag for flag in used_flags()[module]} <= known


def python_blocks():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return [block for block in blocks if "runs/" not in block]  # these need a training


def test_python_runs(tmp_path):
    assert len(python_blocks()) >= 3
    for number, block in enumerate(python_blocks()):
        (tmp_path / f"block_{number}.py").write_text(block)
    (tmp_path / "all_blocks.py").write_text(
        f"import pathlib\nfor path in sorted(pathlib.Path({str(tmp_path)!r}).glob('block_*.py')):\n"
        "    exec(compile(path.read_text(), path.name, 'exec'), {})\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "all_blocks.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_signature_is_described():
    sections = TEXTS["export/serving/README.md"].split("\nOf a ")[1:]
    for section, name in zip(sections, ("hier_5_100", "bwlc_joint_snr1", "classifier_mnist"), strict=True):
        described = {}
        for names, *sides in re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE):
            for signature in re.findall(r"`(\w+)`", names):
                described[signature] = tuple(set(re.findall(r"`(\w+)`", side)) for side in sides)
        if name.startswith(zoo.CLASSIFIER):
            signatures = verification._classifier_signatures(zoo.load_trained(name))
        else:
            config = zoo.config(name)
            signatures = families.of(config).signatures(config)
        expected = {key: (set(given), set(got)) for key, (given, got) in signatures.items()}
        assert described == {key: sides for key, sides in expected.items() if not key.endswith("_float")}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", TEXTS[name]):
        assert (ROOT / name).parent.joinpath(target).exists(), target


def test_the_table_of_storages_is_what_was_measured():
    content = json.loads((ROOT / "experiments" / "storages" / "coded_10_300.json").read_text())
    measured, shown = (
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
        for text in (storages.table(content), README.split("**Storage.**")[1].split("\n## ")[0])
    )
    names = ("storage", "MB", "psnr", "accuracy", "entropy", "elbo", "log_likelihood_hard", "ber")
    columns = [measured[0].index(name) for name in names]
    assert shown[1:] == [[row[column] for column in columns] for row in measured[1:]]
    assert content["chosen"] == "compensated"


TRAINED = [
    name
    for name in zoo.trained()
    if not name.startswith(zoo.CLASSIFIER) and families.of(zoo.config(name)).name == "coded_dvae"
]


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


def tables_of_trained_models():
    """The tables in that section: heading and {name: cells}."""
    section = README.split("\n## Trained models\n")[1].split("\n## ")[0]
    for paragraph in section.split("\n\n"):
        if paragraph.startswith("| "):
            heading, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in paragraph.splitlines())
            yield heading[1:], {row[0].strip("`"): row[1:] for row in rows}


def test_the_tables_of_trained_models_have_all_of_them():
    assert [sorted(rows) for _, rows in tables_of_trained_models()] == [sorted(TRAINED)] * 2


@pytest.mark.parametrize("name", TRAINED)
def test_numbers_of_trained_models_are_those_of_their_files(name):
    (*columns, last), rows = next(tables_of_trained_models())
    assert columns[::2] == ["PSNR, dB", "accuracy", "entropy, bits", "BER", "WER"]
    assert set(columns[1::2]) == {"published"} and last == "words used"
    config, measured = zoo.config(name), zoo.measured(name)
    expected = []
    for metric in (_METRICS[column] for column in columns[::2]):
        for value in (measured[metric].value, config.published.get(metric)):
            expected.append("-" if value is None else tables.formatted(zoo.Measurement(value, None)))
    assert rows[name] == [*expected, f"{measured['words_used'].value:.0f} of {2**config.information_bits}"]


def test_the_numbers_of_trained_models_are_as_certain_as_is_said():
    said = re.search(r"errors of these five numbers are at most ([\d., and]+\d)", " ".join(README.split()))[1]
    bounds = zip(("psnr", "accuracy", "entropy", "ber", "wer"), re.split(", | and ", said), strict=True)
    for metric, bound in bounds:
        largest = max(zoo.measured(name)[metric].standard_error for name in TRAINED)
        assert 0.8 * float(bound) < largest <= float(bound), metric


def test_the_trained_models_were_trained_for_as_long_as_is_said():
    said = "were trained for 120 of the published 200 epochs, the one of MNIST for 120 where 100 are published"
    assert said in " ".join(README.split())
    for name in TRAINED:
        assert zoo.read_record(zoo.measured_path(name))["epochs"] == 120
        assert zoo.config(name).training.epochs == (100 if name.endswith("_mnist") else 200)


@pytest.mark.parametrize("name", TRAINED)
def test_what_words_alone_give_is_in_their_files(name):
    _, (heading, rows) = tables_of_trained_models()
    measured = zoo.measured(name)
    assert rows[name] == [tables.formatted(measured[f"{_METRICS[column]}_words"]) for column in heading]


def test_the_ssim_against_the_paper_is_what_was_measured():
    differences = {}  # (part of the data, whether there is a code, whether it is above the paper's) -> {name: difference}
    for name in TRAINED:
        config = zoo.config(name)
        for file, suffix in (("metrics.json", ""), ("metrics_train.json", "_train")):
            if f"ssim{suffix}" in config.published:
                record = zoo.read_record(zoo.measured_path(name, file))
                found = record["metrics"]["ssim"].value - config.published[f"ssim{suffix}"]
                differences.setdefault((suffix, config.code.kind != "uncoded", found > 0), {})[name] = found

    def spread(*key):
        numbers = [abs(found) for found in differences[key].values()]
        return f"{min(numbers):.3f} to {max(numbers):.3f}"

    above = {"coded_10_200", "coded_10_300", "coded_8_240_mnist"}
    assert set(differences["", True, True]) == above and len(differences) == 5
    said = " ".join(README.split())
    assert f"below the paper's by {spread('', True, False)} with a code and 5 or 8 bits or ten copies of ten" in said
    assert f"and by {spread('', False, False)} without a code" in said
    assert f"`coded_10_200`, `coded_10_300` and MNIST's model are above it by {spread('', True, True)}" in said
    assert f"by {spread('_train', True, False)} with a code and by {spread('_train', False, False)} without" in said
    assert max(zoo.measured(name)["ssim"].standard_error for name in TRAINED) <= 0.0020


def test_the_gaps_of_figure_4_are_those_of_its_table():
    with (ROOT / "experiments/cifar10_smoke/bwlc_fig4/table.csv").open() as file:
        gaps = [float(row["relative_gap"]) for row in csv.DictReader(file)]
    said = f"the relative gap to the better of the two is smaller at both ends | held | {', '.join(f'{gap:.0%}' for gap in gaps)} |"
    assert said in README


def test_the_likelihoods_of_words_are_those_of_their_files():
    rows = []
    for draws in (4, 64, 256):
        name = f"likelihood/coded_8_240_{draws}_draws.json"
        record = zoo.read_record(ROOT / "experiments" / name)
        facts, (value, error) = record["likelihood"]["log_likelihood_hard"], record["metrics"]["log_likelihood_hard"]
        assert (facts["draws"], facts["images"], facts["bias_at_most"]) == (draws, 500, None)
        more = f"{facts['monte_carlo_error']:.2f} | {facts['twice_the_samples']:.2f}"
        rows.append(f"| [{draws}]({name}) | {value:.1f} ± {error:.1f} | {more} |")
    assert "\n".join(rows) in TEXTS["experiments/published.md"]
    uncoded = zoo.measured("uncoded_8")["log_likelihood"]
    said = " ".join(README.split())
    assert f"at least {value:.1f} ± {error:.1f} ([by enumeration" in said
    assert f"and at least {uncoded.value:.1f} ± {uncoded.standard_error:.1f}." in said
