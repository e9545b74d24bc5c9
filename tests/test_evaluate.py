"""python -m tfcoded.evaluate, in processes of its own, on a small SavedModel and the user's images."""

import json
import os

import commands
import fake_codec
import numpy as np
import pytest
import tensorflow as tf

from tfcoded import data, zoo
from tfcoded.evaluation import measurement
from tfcoded.evaluation.plan import Plan
from tfcoded.metrics import Estimate, protocol
from tfcoded.metrics.likelihood import log_likelihood
from tfcoded.runs import records
from tfcoded.utils.errors import UserError


def run(*arguments, cwd, zoo_dir=None):
    environment = {key: value for key, value in os.environ.items() if key != "TFCODED_ZOO"}
    environment |= {"TFCODED_ZOO": str(zoo_dir)} if zoo_dir else {}
    return commands.run("tfcoded.evaluate", *arguments, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of versions 2 and 10 of a SavedModel; 2 is damaged, so that taking it would be noticed."""
    folder = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "images.npz",
        train_images=rng.integers(0, 256, [30, 28, 28, 1]).astype(np.uint8),
        test_images=rng.integers(0, 256, [20, 28, 28, 1]).astype(np.uint8),
    )
    fake_codec.save(folder / "model" / "10", str(folder / "images.npz"))
    fake_codec.save(folder / "repetition", str(folder / "images.npz"), branches=(4,))
    (folder / "zoo" / "fake").mkdir(parents=True)  # the entry of whose name and settings the model is
    text = tf.saved_model.load(str(folder / "model" / "10")).configuration().numpy()
    (folder / "zoo" / "fake" / "config.yaml").write_bytes(text)
    (folder / "model" / "2").mkdir()
    (folder / "model" / "2" / "saved_model.pb").write_bytes(b"not a model")
    return folder


def test_a_saved_model_is_measured_and_recorded(saved, tmp_path):
    arguments = ("--saved_model", saved / "model", "--runs=2", "--words=50", "--images=12")
    result = run(*arguments, cwd=tmp_path, zoo_dir=saved / "zoo")
    assert result.returncode == 0, result.stderr
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    assert lines["metric"] == ["metric", "measured", "s.e.", "published"]
    assert lines["psnr"][-1] == "18.1" and lines["fid"] == ["fid", "-", "-", "90"]

    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["name"] == "fake" and content["split"] == "test"
    assert (content["images"], content["runs"], content["words"], content["seed"]) == (12, 2, 50, 0)
    assert content["published"] == {"psnr": 18.1, "ber": 0.25, "fid": 90.0}
    assert content["command"].startswith("python -m tfcoded.evaluate --saved_model ")
    assert {"python", "tensorflow", "tfcoded"} <= set(content["versions"])
    assert content["hardware"] and len(content["date"]) == len("2025-01-31")
    assert content["notes"] == ["no accuracy: the images have no labels"]
    rates = ("ber", "wer", "ber_map", "wer_map")
    expected = {f"{rate}{part}" for rate in rates for part in ("", "_m1", "_m2")}
    expected |= {"psnr", "ssim", "entropy", "elbo", "kl", "reconstruction", "kl_m1", "kl_m2"}
    expected |= {"psnr_words", "ssim_words", "words_used", "usage_entropy"}
    calibration = {name for name in content["metrics"] if name.startswith(("ece_", "brier_", "overconfidence_"))}
    assert set(content["metrics"]) - calibration == expected
    assert {"ece_words", "ece_bits", "brier_bits"} <= calibration
    assert content["calibration"] == {"runs": 2, "words": 50}
    assert (tmp_path / "metrics_reliability.png").read_bytes().startswith(b"\x89PNG")
    assert content["metrics"]["wer_map"] == {"value": 0.0, "standard_error": 0.0}
    # x / 2 for x uniform on 0..255: MSE = mean(x^2) / 4 over 12 * 784 pixels.
    assert content["metrics"]["psnr"]["value"] == pytest.approx(10 * np.log10(12), abs=0.1)
    assert content["metrics"]["psnr"]["standard_error"] is None  # one batch


def test_the_training_split_and_a_refused_overwrite(saved, tmp_path):
    model = saved / "model" / "10"
    arguments = (
        "--saved_model",
        model,
        "--split=train",
        "--metrics=reconstruction,errors",
        "--runs=1",
        "--words=5",
        "--out=m.json",
    )
    assert run(*arguments, cwd=tmp_path, zoo_dir=saved / "zoo").returncode == 0
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["split"] == "train" and content["images"] == 30
    assert content["published"] == {"psnr": 19.2, "ber": 0.25}

    before = (tmp_path / "m.json").read_bytes()
    refused = run(*arguments, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: m.json exists; give another --out or --overwrite\n"
    assert (tmp_path / "m.json").read_bytes() == before
    assert run(*arguments, "--overwrite", "--seed=1", cwd=tmp_path).returncode == 0
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["seed"] == 1 and content["published"] == {}  # there is no entry of its name now


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "expected exactly one of --model, --saved_model and --workdir, got none"),
        (["--model=coded_8_240", "--workdir=x"], "got --model and --workdir"),
        (["--model=coded_8_24"], "unknown model 'coded_8_24'; did you mean 'coded_8_240'?"),
        (["--saved_model=missing"], "--saved_model missing is not a folder"),
        (["--saved_model=empty"], "neither saved_model.pb nor a version folder"),
        (["--workdir=missing"], "--workdir missing is not a folder"),
        (["--saved_model=damaged"], "damaged"),
        (["--saved_model=damaged", "--out=empty"], "--out empty is a folder"),
        (["--saved_model=damaged", "--out=file/m.json"], "file is a file; expected a folder"),
        (["--saved_model=damaged", "--runs=0"], "runs"),
        (["--saved_model=foreign"], "without configuration"),
        (
            ["--saved_model=damaged", "--metrics=errors,elbo"],
            "expected some of reconstruction, words, errors, calibration",
        ),
        (["--table=22"], "22"),
        (["--saved_model=damaged", "--add"], "--add: metrics.json is missing"),
        (["--table=1", "--out=empty"], "--out empty is a folder"),
        (["--table=1", "--model=uncoded_8", "--metrics=errors"], "--model and --metrics would do nothing with --table"),
        (["--saved_model=damaged", "--runs_dir=empty"], "--runs_dir would do nothing without --table; leave it out"),
        (["--saved_model=damaged", "--likelihood_omega=nan"], "--likelihood_omega=nan: expected a number from 0 to 1"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    if "--saved_model=damaged" in arguments:
        (tmp_path / "damaged").mkdir()
        (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"not a model")
    if arguments == ["--saved_model=foreign"]:
        import tensorflow as tf

        tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    errors = result.stderr.splitlines()
    assert len(errors) == 1 and errors[0].startswith("error: ") and message in errors[0], result.stderr
    assert not (tmp_path / "metrics.json").exists()


def test_tables_of_the_paper(tmp_path):
    printed = run("--table=9", cwd=tmp_path)
    assert printed.returncode == 0 and printed.stderr == ""
    row = next(line for line in printed.stdout.splitlines() if "0.052" in line and "1.004" in line)
    assert row.startswith("|") and "14.542" in row
    written = run("--table=9", "--format=csv", "--out=t.csv", cwd=tmp_path)
    assert written.stdout == "written to t.csv\n" and "14.542" in (tmp_path / "t.csv").read_text()
    again = run("--table=9", "--out=t.csv", cwd=tmp_path)
    assert again.stderr == "error: t.csv exists; give another --out or --overwrite\n"


def test_likelihoods_are_added_to_a_measurement(saved, tmp_path):
    model = ("--saved_model", saved / "repetition", "--images=12", "--runs=1", "--words=5")
    assert run(*model, "--metrics=errors", cwd=tmp_path).returncode == 0
    arguments = (*model, "--metrics=likelihood,frechet", "--likelihood_images=3", "--add")
    jeffreys = ("--likelihood_prior=jeffreys", "--likelihood_omega=0.3")
    result = run(*arguments, *jeffreys, "--generated=20", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / "metrics.json").read_text())
    # The score does not depend on z and hardly on the word, so nearly all samples count, and the estimate is the score.
    images = np.load(saved / "images.npz")["test_images"][:3] / 255
    z = 20.0  # the sum of 40 code bits, in the mean
    metrics = content["metrics"]
    assert metrics["log_likelihood_omega0.3_jeffreys"]["value"] == pytest.approx(
        -images.sum((1, 2, 3)).mean() - z, abs=15
    )
    assert metrics["effective_sample_size_omega0.3_jeffreys"]["value"] > 10
    assert {"ber", "log_likelihood_hard"} <= set(metrics)
    facts = content["likelihood"]["log_likelihood_omega0.3_jeffreys"]
    assert (facts["images"], facts["samples"], facts["prior"], facts["a"]) == (3, 300, "jeffreys", [0.5] * 4)
    # Its own bits are sent ten times, but no posterior was fitted.
    assert "log_likelihood_omega0.3_jeffreys " in result.stdout and "another prior" not in result.stdout
    words = content["likelihood"]["log_likelihood_hard"]
    assert (words["images"], words["words"], words["draws"]) == (3, 16, 64)
    notes = measurement.remarks(content)
    assert len(notes) == 3 and "no Frechet distance" in notes[0]
    assert (
        "under hard encoding of 3 images by enumeration of 16 words, 64 draws of z for each; Monte Carlo's" in notes[2]
    )
    assert "3 images by 300 samples" in notes[1] and "a 0.50, b 0.50" in notes[1]
    assert all(f"note: {note}\n" in result.stdout for note in notes)
    (addition,) = content["additions"]
    assert addition["images"] == 12
    assert "log_likelihood_omega0.3_jeffreys" in addition["metrics"] and "--add" in addition["command"]
    # Nothing is left of the interruptible part.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json"]

    other = run(
        "--saved_model",
        saved / "model",
        "--metrics=errors",
        "--runs=1",
        "--words=5",
        "--split=train",
        "--add",
        cwd=tmp_path,
    )
    assert other.returncode == 2
    assert "error: cannot add to a measurement of another split: test there, train here" in other.stderr
    assert json.loads((tmp_path / "metrics.json").read_text()) == content


def test_what_is_there_is_exchanged_with_overwrite_alone(saved, tmp_path):
    model = ("--saved_model", saved / "model", "--images=12", "--words=5", "--out=m.json")
    assert run(*model, "--metrics=errors", "--runs=1", cwd=tmp_path).returncode == 0
    before = (tmp_path / "m.json").read_bytes()
    again = run(*model, "--metrics=errors", "--runs=2", "--add", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    expected = "error: cannot add what is there already: ber; give another --out, or --overwrite to replace it\n"
    assert again.stderr == expected

    # A picture that belongs to other numbers stays, whether the file of numbers is new or added to.
    for arguments in (("--metrics=calibration", "--add"), ("--overwrite=false", "--out=other.json")):
        picture = tmp_path / ("other_reliability.png" if "--out=other.json" in arguments else "m_reliability.png")
        picture.write_text("another's")
        refused = run(*model, "--runs=1", *arguments, cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"error: {picture.name} exists; give another --out or --overwrite\n"
        assert picture.read_text() == "another's" and not (tmp_path / "other.json").exists()
    (tmp_path / "swept_over.png").write_text("another's")
    refused = run(*model, "--over=bsc:0", "--out=swept.json", cwd=tmp_path)
    assert refused.stderr == "error: swept_over.png exists; give another --out or --overwrite\n"
    assert (tmp_path / "m.json").read_bytes() == before

    replaced = run(*model, "--metrics=errors,calibration", "--runs=2", "--add", "--overwrite", cwd=tmp_path)
    assert replaced.returncode == 0, replaced.stderr
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["runs"] == 2 and "ece_words" in content["metrics"]
    assert (tmp_path / "m_reliability.png").read_bytes().startswith(b"\x89PNG")


def test_only_what_needs_the_fid_network_asks_for_it(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("TFCODED_INCEPTION", str(tmp_path / "gone.npz"))
    model = ("--saved_model", saved / "repetition", "--runs=1", "--words=5")
    refused = run(*model, "--metrics=frechet", cwd=tmp_path)
    assert refused.returncode == 2 and "gone.npz is not a file; to get the FID network's weights" in refused.stderr
    assert run(*model, "--metrics=errors", cwd=tmp_path).returncode == 0


def test_a_record_of_nothing_is_not_written(saved, tmp_path):
    refused = run("--saved_model", saved / "repetition", "--metrics=frechet", cwd=tmp_path)
    reason = f"no Frechet distance: the zoo has no classifier for {saved / 'images.npz'}"
    assert (refused.returncode, refused.stderr) == (2, f"error: --metrics=frechet: nothing can be measured; {reason}\n")
    assert not list(tmp_path.iterdir())


def test_published_numbers_of_each_split():
    published = {"psnr": 17.9, "psnr_train": 19.3, "ber": 0.037, "wer_m1": 0.2, "entropy": 4.0}
    test = {"psnr": 17.9, "ber": 0.037, "wer_m1": 0.2, "entropy": 4.0}
    assert measurement.published_on(published, "test") == test
    assert measurement.published_on(published, "train") == {"psnr": 19.3, "ber": 0.037, "wer_m1": 0.2}


def test_table():
    measured = {"psnr": Estimate(17.5, 0.01), "elbo": Estimate(-231.456, None)}
    text = measurement.table(measured, {"psnr": 17.9, "fid": 80})
    assert [line.split() for line in text.splitlines()] == [
        ["metric", "measured", "s.e.", "published"],
        ["psnr", "17.5000", "±", "0.0100", "17.9"],
        ["elbo", "-231.46", "-", "-"],
        ["fid", "-", "-", "80"],
    ]
    assert len({len(line) for line in text.splitlines()}) == 1  # columns are aligned


def test_what_is_told_of_a_likelihood_goes_with_it(monkeypatch):
    settings = {"samples": 300, "space": "z", "omega": 0.5, "prior": "fitted", "a": [0.4], "b": [0.5]}
    config = zoo.config("coded_8_240")
    images = np.zeros([3, 28, 28, 1], np.uint8)
    dataset = data.Dataset("none", images, None, images, None)
    plan = Plan(metrics=("likelihood",))
    before = records.record(config.name, {}, {}, seed=0, notes=["of before"])
    size = {"effective_sample_size": Estimate(9.3, None)}
    value = {"log_likelihood": Estimate(-230.0, 1.0)}
    bounded = {"monte_carlo_error": 0.21, "bias": 0.5, "bias_at_most": 0.75, "twice_the_samples": 0.3}
    unbounded = bounded | {"bias": None, "bias_at_most": None}
    none = size, {"note": "no log-likelihood"}, "no log-likelihood", ""
    low = "Monte Carlo's part of the error is 0.21; too low by about 0.5, at most 0.75, as far as samples can tell"
    known = size | value, settings | bounded, low, " (another prior)"
    lowest = "a lower bound: twice as many would add about 0.3, and no end can be told"
    unknown = size | value, settings | unbounded, lowest, " (another prior, lower bound)"
    words = value, {"words": 256, "draws": 64} | bounded, low, ""
    for measured, facts, expected, qualified in (none, known, none, unknown, words):
        result = log_likelihood.LogLikelihood(measured, {"log_likelihood": facts})
        monkeypatch.setattr(log_likelihood, "measure", lambda *arguments, **more: result)
        content, text, _ = measurement.measure(None, config, dataset, None, plan)
        before = records.merge(before, content, replace=True)
        first, told = measurement.remarks(before)  # and nothing of the likelihood that was replaced
        assert before["metrics"].keys() == measured.keys()  # nothing of samples that there are no more
        assert first == "of before" and expected in told and f"note: {told}" in text
        assert f"log_likelihood{qualified}  " in text and text.count("another prior") == qualified.count("another")


def test_notes():
    assert "no classifier for cifar10" in protocol.missing_accuracy({}, "cifar10", [1], None)[0]
    assert "no confident accuracy" in protocol.missing_accuracy({"accuracy": 1}, "mnist", [1], object())[0]
    assert protocol.missing_accuracy({"accuracy": 1, "confident_accuracy": 1}, "mnist", [1], object()) == []
    assert protocol.missing_accuracy({"accuracy_words": 1}, "mnist", [1], object()) == []


@pytest.mark.parametrize(
    "given, message",
    [
        ({"split": "val"}, "split is 'val'; expected 'test' or 'train'"),
        ({"images": -3}, "images is -3; expected an integer of at least 1"),
        ({"images": 0}, "images is 0"),
        ({"images": 2.0}, "images is 2.0"),
        ({"runs": 0}, "runs is 0"),
        ({"words": True}, "words is True"),
        ({"seed": -1}, "seed is -1; expected an integer of at least 0"),
        ({"draws": None}, "draws is None"),
        ({"generated": 1}, "generated is 1; expected an integer of at least 2"),
        ({"metrics": "errors"}, "such as ('errors',)"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(given, message):
    with pytest.raises(UserError) as caught:
        Plan(**given)
    assert message in str(caught.value)


def test_a_plan_chooses_the_first_images_of_its_split():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    dataset = data.Dataset("mine", images[:6], np.arange(6), images[6:], None)
    chosen, labels = Plan(split="train", images=6).chosen(dataset)
    assert chosen.ravel().tolist() == labels.tolist() == [0, 1, 2, 3, 4, 5]
    chosen, labels = Plan(images=3).chosen(dataset)
    assert chosen.ravel().tolist() == [6, 7, 8] and labels is None
    for plan, words in (
        (Plan(images=5), "first 5 test images: mine has 4 of them"),
        (Plan(split="train", images=99999999), "first 99999999 training images: mine has 6 of them"),
    ):
        with pytest.raises(UserError, match=words):
            plan.chosen(dataset)
