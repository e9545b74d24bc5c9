"""python -m export.ship and what makes sure that a shipped entry is what it was."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import shipped
import tensorflow as tf

from export import card, shipping
from tfcoded import config, zoo
from tfcoded.utils.errors import UserError
from tfcoded.zoo import checksums, golden, verification


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory):
    """A folder with `zoo`, `run` and the entry shipped into the former; never changed."""
    home = tmp_path_factory.mktemp("ship")
    zoo_dir, workdir = shipped.training(home)
    (zoo_dir / "tiny" / "notes.txt").write_text("kept")
    (zoo_dir / ".shipping-killed" / "new").mkdir(parents=True)
    small = ("--storage=compensated", "--runs=2", "--words=20", "--train")
    done = shipped.run_tiny("export.ship", f"--workdir={workdir}", f"--zoo_dir={zoo_dir}", *small)
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(zoo_dir / "tiny") in done.stdout
    return home


@pytest.fixture(name="model", scope="module")
def _model(home):
    return zoo.load("tiny", home / "zoo")


@pytest.fixture(name="copy")
def _copy(home, tmp_path):
    """A copy of the zoo folder, to be damaged."""
    return shutil.copytree(home / "zoo", tmp_path / "zoo")


def test_an_entry_is_complete(home):
    entry = home / "zoo" / "tiny"
    names = {path.name for path in entry.iterdir()}
    assert names == {
        *("1", "config.yaml", "metrics.json", "metrics_train.json", "golden.npz", "README.md", "notes.txt"),
        *("history.json", "samples.png", "reconstructions.png", "reliability.png", "learning_curves.png"),
        "m1_fixed.png",
    }
    assert names - {"1", "config.yaml", "notes.txt"} <= set(card.FILES)  # which make room for others
    assert {path.name for path in (home / "zoo").iterdir()} == {"tiny", "SHA256SUMS", "README.md"}
    record = json.loads((entry / "metrics.json").read_text())
    assert record["name"] == "tiny" and record["epochs"] == 2 and record["storage"] == "compensated"
    assert record["bytes"] == sum(path.stat().st_size for path in (entry / "1").rglob("*") if path.is_file())
    assert record["training"] == {
        "seed": 3,
        "train_images": 40,
        "dtype_policy": "float32",
        "replicas": 1,
        "epochs_planned": 3,
        "seconds": 3600.0,
        "device": "a GPU",
    }
    assert record["published"] == {"psnr": 18.5, "ssim": 0.5}
    assert {"psnr", "ber", "ece_words"} <= set(record["metrics"])
    train = json.loads((entry / "metrics_train.json").read_text())
    assert train["split"] == "train" and train["images"] == 40 and "ber" not in train["metrics"]
    history = json.loads((entry / "history.json").read_text())
    assert history["epoch"] == [1, 2] and history["val_elbo"] == [-500.0, -480.0]  # not the third, which was cut short


def test_it_is_compared_with_its_own_training(home, tmp_path):
    models = f"--models=tiny,{home / 'run'}"
    done = shipped.run_tiny("tfcoded.compare", models, f"--zoo_dir={home / 'zoo'}", f"--out={tmp_path}")
    assert done.returncode == 0, done.stderr[-3000:]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"reconstructions.png", "words.png", "samples.png", "learning_curves.png"}


def test_it_loads_and_verifies(home, model):
    zoo_dir = home / "zoo"
    settings = config.from_yaml(model.configuration().numpy().decode())
    assert settings == zoo.config("tiny", zoo_dir)
    found = verification.verify("tiny", zoo_dir)
    assert "golden outputs, 17 signatures" in found
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=zoo_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == int(found.split()[0]) >= 4


def test_short_trainings_took_minutes():
    assert [card._duration(seconds) for seconds in (3, 61, 3540, 3600, 5000)] == [
        "1 min",
        "2 min",
        "59 min",
        "1.0 hours",
        "1.4 hours",
    ]


def test_a_history_that_begins_later_is_cut_by_epoch(tmp_path):
    (tmp_path / "history.json").write_text(json.dumps({"epoch": [51, 52, 53, 54], "elbo": [1.0, 2.0, 3.0, 4.0]}))
    assert shipping._history(tmp_path, 53) == {"epoch": [51, 52, 53], "elbo": [1.0, 2.0, 3.0]}


def test_a_training_elsewhere_is_told(tmp_path):
    run = {"seed": 0, "dtype_policy": "mixed_bfloat16"}
    (tmp_path / "run.json").write_text(json.dumps(run))
    pjrt = {"device": "a GPU", "jax": "0.11.2", "seconds": 99.7, "storage": "int8"}
    (tmp_path / "pjrt.json").write_text(json.dumps(pjrt))
    settings = zoo.config("coded_10_300")
    training = shipping._training(tmp_path, 120, settings)
    assert training == {
        **run,
        "epochs_planned": 200,
        "device": "a GPU",
        "jax": "0.11.2",
        "seconds": 99.7,
        "through": "python -m export.pjrt",
        "weights_came_as": "int8",
    }
    assert card._training(settings, {"epochs": 120, "training": training}) == (
        "120 of 200 epochs, seed 0, mixed_bfloat16, on a GPU through `python -m export.pjrt`"
        " (weights brought back as int8), 2 min"
    )


def test_a_note_stands_below_the_numbers_that_it_belongs_to():
    measured = {"metrics": {}, "images": 20, "storage": "float32", "bytes": 1, "epochs": 2, "command": "make"}
    measured |= {"hardware": "a machine", "date": "today"}
    test, train = ({**measured, "split": split, "notes": [f"of the {split} images"]} for split in ("test", "train"))
    text = card.card(zoo.config("coded_10_300"), test, train)
    order = ("On 20 test images", "Note: of the test images.", "On 20 training images", "Note: of the train images.")
    places = [text.index(part) for part in (*order, "Measured by `make`")]
    assert places == sorted(places)


def squeezed(text):
    """Without the blanks that align the cells of tables."""
    return re.sub(" +", " ", text)


def test_error_rates_stand_in_the_table_of_the_test_images_alone_unless_measured_again():
    config = zoo.config("coded_8_240")
    record = {"metrics": {}, "images": 20, "storage": "float32", "bytes": 1, "epochs": 2, "command": "make"}
    record |= {"hardware": "a machine", "date": "today"}
    test, train = ({**record, "split": split} for split in ("test", "train"))
    row = "| bit error rate, words drawn | {} | 0.037 |"
    text = squeezed(card.card(config, test, train))
    assert text.count("bit error rate") == 1 and text.index(row.format("-")) < text.index("training images, of this")
    assert "| PSNR, dB | - | 19.345 |" in text.partition("training images, of this")[2]
    text = squeezed(card.card(config, test, train | {"metrics": {"ber": zoo.Measurement(0.05, 0.001)}}))
    assert row.format("0.0500 ± 0.0010") in text.partition("training images, of this")[2]


def test_a_likelihood_of_another_prior_says_so_beside_the_published_one():
    facts = {
        "images": 20,
        "samples": 300,
        "space": "z",
        "omega": 0.5,
        "prior": "fitted",
        "a": [0.3, 0.4],
        "b": [0.5, 0.5],
    }
    facts |= {"monte_carlo_error": 0.3, "bias": None, "bias_at_most": None, "twice_the_samples": 0.7}
    record = {"metrics": {"log_likelihood": zoo.Measurement(-236.1, 5.1)}, "likelihood": {"log_likelihood": facts}}
    record |= {"split": "test", "images": 20, "storage": "float32", "bytes": 1, "epochs": 2, "command": "make"}
    text = squeezed(card.card(zoo.config("coded_8_240"), record | {"hardware": "a machine", "date": "today"}))
    row = "| log-likelihood, nats (another prior, lower bound) | -236.1 ± 5.1 | -238.459 |"
    assert row in text and "twice as many would add about 0.7, and no end can be told." in text


def test_calibration_is_a_table_of_names_that_a_reader_knows():
    measured = {"psnr": zoo.Measurement(18.0, 0.03), "wer_map_m2": zoo.Measurement(0.1, 0.001)}
    measured |= {f"{metric}_bits": zoo.Measurement(0.057, 0.0003) for metric in ("ece", "brier")}
    record = {"metrics": measured, "split": "test", "images": 20, "storage": "float32", "bytes": 1, "epochs": 2}
    record |= {"command": "make", "hardware": "a machine", "date": "today"}
    text = squeezed(card.card(zoo.config("coded_8_240"), record, pictures=["samples.png", "reconstructions.png"]))
    assert "| bits | 0.05700 ± 0.00030 | - | - | - | - | 0.05700 ± 0.00030 |" in text
    assert "expected calibration error" in text and "ece_" not in text and "| words |" not in text
    assert "| word error rate, likeliest words, branch 2 | 0.1000 ± 0.0010 |" in text
    order = ["](reconstructions.png)", "## Use", "## Model", "## Numbers", "## Limits", "](samples.png)", "## Licence"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_the_card_says_what_the_files_say(home):
    text = squeezed((home / "zoo" / "tiny" / "README.md").read_text())
    assert "2 of 3 epochs, seed 3, float32, on a GPU, 1.0 hours" in text
    assert "integers of 2 to 8 bits" in text and "Trained for 2 of 3 epochs" in text and "| 18.500 |" in text
    assert "branches of 2 bits in 10 and 2 bits in 10" in text
    assert "On 20 test images" in text and "On 40 training images" in text
    record = zoo.read_record(home / "zoo" / "tiny" / "metrics.json")
    assert "## Licence of the weights\n\nApache License 2.0, as this repository (`LICENSE`)" in text
    for name in card.PICTURES:
        assert f"]({name})" in text
    words = record["metrics"]["words_used"].value
    assert 1 <= words <= 16 and f"| words that are the likeliest of some image | {words:.0f} of 16 |" in text
    elbo = record["metrics"]["elbo"]
    assert f"| ELBO, nats | {elbo.value:.0f}" in text or f"| ELBO, nats | {elbo.value:.1f}" in text


def test_cards_are_written_again(copy):
    paths = [copy / "tiny" / "README.md", copy / "README.md"]
    before = [path.read_text() for path in paths]
    paths[0].write_text("lost")
    paths[1].unlink()
    index = (copy / "SHA256SUMS").read_text()
    command = [sys.executable, "-X", "importtime", "-m", "export.ship", "--cards", f"--zoo_dir={copy}"]
    done = subprocess.run(command, cwd=shipped.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [*map(str, paths)] and [path.read_text() for path in paths] == before
    assert "| `tiny` | " in before[1] and before[1].count("| `") == 1  # and not those of the clone
    assert (copy / "SHA256SUMS").read_text() == index
    assert "tensorflow" not in done.stderr.replace(str(copy), "")


def test_a_readme_of_somebody_else_stays(copy):
    (copy / "README.md").write_text("mine")
    with pytest.raises(UserError, match="README.md does not begin with '# All entries' and is left as it is"):
        shipping.write_table(copy)
    # And before anything else is looked at: this run does not exist.
    command = [sys.executable, "-m", "export.ship", f"--workdir={copy / 'none'}", f"--zoo_dir={copy}"]
    done = subprocess.run(command, cwd=shipped.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {copy / 'README.md'} does not begin with")
    assert (copy / "README.md").read_text() == "mine"


def test_one_changed_byte_is_found(copy):
    (data,) = (copy / "tiny" / "1" / "variables").glob("*.data*")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    for call in (zoo.load, verification.verify):
        with pytest.raises(UserError, match=f"{data.name} is damaged: its SHA-256 is"):
            call("tiny", copy)


def test_missing_and_additional_files_are_found(copy):
    (copy / "tiny" / "1" / "extra.txt").write_text("")
    (copy / "tiny" / "1" / "fingerprint.pb").unlink()
    with pytest.raises(UserError) as error:
        zoo.load("tiny", copy)
    assert "tiny/1/extra.txt is not listed in SHA256SUMS" in str(error.value)
    assert "tiny/1/fingerprint.pb is missing" in str(error.value)
    checksums.forget(copy, "tiny")
    with pytest.raises(UserError, match="saved_model.pb is not listed"):
        zoo.load("tiny", copy)
    (copy / "SHA256SUMS").unlink()  # a folder of the user's own
    assert verification.verify("tiny", copy).startswith("no index of hashes, ")


@pytest.mark.parametrize("name, change", [("decode/images", 3e-4), ("encode/bits", 1), ("elbo/elbo", 1.0), ("seed", 1)])
def test_other_outputs_are_found(home, model, tmp_path, name, change):
    with np.load(home / "zoo" / "tiny" / "golden.npz") as file:
        arrays = dict(file)
    arrays[name] = arrays[name] + np.asarray(change, arrays[name].dtype)
    np.savez(tmp_path / "golden.npz", **arrays)
    expected = "reconstruct/images differs" if name == "seed" else f"{name} differs"
    with pytest.raises(UserError, match=expected):
        golden.check(model, settings(home), tmp_path / "golden.npz")


def test_a_bit_that_is_undecided_may_fall_either_way(home, model, tmp_path):
    with np.load(home / "zoo" / "tiny" / "golden.npz") as file:
        arrays = dict(file)
    arrays["encode/bits"][0, 0] ^= 1
    arrays["encode/bit_probabilities"][0, 0] = 0.5005
    golden.check(_Undecided(model), settings(home), _saved(tmp_path / "golden.npz", arrays))
    arrays["encode/bits"][0, 1] ^= 1
    with pytest.raises(UserError, match="encode/bits differs in 1 bits"):
        golden.check(_Undecided(model), settings(home), _saved(tmp_path / "golden.npz", arrays))


class _Undecided:
    """A model whose first bit has probability 0.5005."""

    def __init__(self, model):
        self.decode, self.reconstruct, self.elbo, self._model = (
            model.decode,
            model.reconstruct,
            model.elbo,
            model,
        )

    def encode(self, images):
        encoded = dict(self._model.encode(images))
        probabilities = encoded["bit_probabilities"].numpy()
        probabilities[0, 0] = 0.5005
        return encoded | {"bit_probabilities": tf.constant(probabilities)}


def settings(home):
    return zoo.config("tiny", home / "zoo")


def _saved(path, arrays):
    np.savez(path, **arrays)
    return path


def test_golden_outputs_have_a_hash(copy):
    with (copy / "tiny" / "golden.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match="golden.npz is damaged: its SHA-256 is"):
        verification.verify("tiny", copy)
    assert zoo.saved_model_path("tiny", copy)
    checksums.verify(copy, "tiny/1")  # what is loaded is as it was


def test_a_model_of_another_configuration_is_found(copy):
    path = copy / "tiny" / "config.yaml"
    path.write_text(path.read_text().replace("beta: 15.0", "beta: 7.0"))
    (copy / "SHA256SUMS").unlink()  # nothing else tells then
    for call in (zoo.load, verification.verify):
        with pytest.raises(UserError, match="another configuration than the entry tiny: beta 15.0, not 7.0"):
            call("tiny", copy)
    done = shipped.run("tfcoded.generate", "--model=tiny", f"--zoo_dir={copy}", f"--out={copy}/out")
    assert done.returncode == 2 and "another configuration than the entry tiny" in done.stderr
    assert not list((copy / "out").iterdir())


def test_a_folder_without_hashes_is_told(copy, capsys):
    assert zoo.load("tiny", copy) and not capsys.readouterr().err
    (copy / "SHA256SUMS").unlink()
    assert zoo.load("tiny", copy)
    assert (
        capsys.readouterr().err == f"warning: {copy} has no SHA256SUMS: the files of tiny are compared with nothing\n"
    )


def test_the_command_that_verifies(copy, capsys):
    assert verification.verify_all(["tiny", "classifier_mnist"], copy) == []
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok      tiny              5 files, 10 golden outputs, 17 signatures")
    assert lines[1] == "ok      classifier_mnist  4 files, 3 signatures"
    (copy / "tiny" / "1" / "fingerprint.pb").unlink()
    done = shipped.run("tfcoded.zoo", "verify", "tiny", f"--zoo_dir={copy}")
    assert done.returncode == 1
    assert done.stdout.startswith("FAILED  tiny") and "fingerprint.pb is missing" in done.stdout
    assert "error: 1 failed: tiny" in done.stderr
    unknown = shipped.run("tfcoded.zoo", "verify", "coded_10_30")
    assert unknown.returncode == 2 and "did you mean 'coded_10_300'?" in unknown.stderr


def test_the_table_marks_shipped_entries(home):
    done = shipped.run("tfcoded.zoo", f"--zoo_dir={home / 'zoo'}")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    size = json.loads((home / "zoo" / "tiny" / "metrics.json").read_text())["bytes"]
    assert rows["tiny"][-2:] == ["2/3", f"{size / 1e6:.1f}"]


def refused(message, *arguments):
    done = shipped.run("export.ship", *arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line, line


def test_what_is_refused(home, tmp_path):
    workdir, zoo_dir = f"--workdir={home / 'run'}", f"--zoo_dir={home / 'zoo'}"
    refused("1 exists; give --overwrite", workdir, zoo_dir)
    refused("two of --workdir are trainings of one entry", workdir, workdir, zoo_dir, "--overwrite")
    refused("at least one --workdir", zoo_dir)
    refused("expected reconstruction and others", workdir, zoo_dir, "--metrics=errors", "--overwrite")
    refused("has no config.yaml", f"--workdir={tmp_path}", zoo_dir)
    other = shutil.copytree(home / "run", tmp_path / "other")
    text = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(text.replace("l2: 0.01", "l2: 0.02"))
    refused(
        "is no training of the entry tiny: training.l2 0.02, not 0.01",
        f"--workdir={other}",
        zoo_dir,
        "--overwrite",
    )


def test_published_numbers_are_of_trainings_from_scratch(home, tmp_path):
    workdir = shutil.copytree(home / "run", tmp_path / "run")
    facts = json.loads((workdir / "run.json").read_text())
    (workdir / "run.json").write_text(json.dumps(facts | {"initial_weights": "zoo/other"}))
    with pytest.raises(
        UserError, match="started from the weights of zoo/other, and what is published of the entry tiny"
    ):
        shipping.check(workdir, home / "zoo", overwrite=True)
    text = (workdir / "config.yaml").read_text()
    (workdir / "config.yaml").write_text(text.replace("name: tiny", "name: classifier_mine"))
    with pytest.raises(UserError, match="whose name is one of classifiers; .* change the name in .*run/config.yaml"):
        shipping.check(workdir, home / "zoo")
    (workdir / "config.yaml").write_text(text.replace("name: tiny", "name: mine"))
    assert shipping.check(workdir, home / "zoo").config.name == "mine"  # nothing is published of it


def test_a_model_of_ones_own_becomes_a_new_entry(home, tmp_path):
    zoo_dir = tmp_path / "mine"
    zoo_dir.mkdir()
    workdir = shutil.copytree(home / "run", tmp_path / "run")
    with (workdir / "config.yaml").open("a") as file:
        file.write("published: {psnr: 18.5}\n")  # copied from an entry that it is not
    more = (f"--zoo_dir={zoo_dir}", "--metrics=reconstruction", "--images=4")
    done = shipped.run_tiny("export.ship", f"--workdir={workdir}", *more)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "published" not in done.stdout
    assert zoo.list(zoo_dir) == sorted({*zoo.list(), "tiny"}, key=zoo.natural)
    assert zoo.config("tiny", zoo_dir) == config.load(home / "run" / "config.yaml")
    model = zoo.load("tiny", zoo_dir)
    assert model.generate(1, [1, 2])["images"].shape == [1, 28, 28, 1]
    assert "there are no published numbers" in (zoo_dir / "tiny" / "README.md").read_text()
    assert verification.verify("tiny", zoo_dir)


def test_a_training_on_part_of_the_data_is_refused(home, tmp_path):
    from tfcoded import data
    from tfcoded.evaluation.plan import Plan

    workdir = shutil.copytree(home / "run", tmp_path / "run")
    facts = json.loads((workdir / "run.json").read_text())
    (workdir / "run.json").write_text(json.dumps(facts | {"train_images": 39}))
    shipment = shipping.check(workdir, home / "zoo", overwrite=True)
    dataset = data.load(shipment.config.dataset)
    with pytest.MonkeyPatch.context() as patch:
        shipped.tiny_networks.replace_networks(patch)
        with pytest.raises(UserError, match="trained on 39 of 40 images"):
            shipping.ship(shipment, dataset, None, Plan(), "int4")
