"""tfcoded.zoo: the configurations of both papers, where they are looked for, and the command line."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tfcoded import codes, config, objectives, zoo
from tfcoded.config.channels import BinaryErasureSettings, BinarySymmetricSettings, GaussianSettings
from tfcoded.config.communication import SystemConfig, SystemNetwork, SystemTraining
from tfcoded.config.decoders import ALVSettings, DrawSettings, ResNetSettings
from tfcoded.utils.errors import UserError
from tfcoded.zoo import __main__ as zoo_command, checksums

ROOT = pathlib.Path(__file__).resolve().parents[2]

PUBLISHED = """
    uncoded_5 coded_5_50 coded_5_80 coded_5_100 uncoded_8 coded_8_80 coded_8_160 coded_8_240 uncoded_10
    coded_10_100 coded_10_200 coded_10_300 uncoded_5_mnist coded_5_50_mnist coded_5_80_mnist
    coded_5_100_mnist uncoded_8_mnist coded_8_80_mnist coded_8_160_mnist coded_8_240_mnist
    uncoded_10_mnist coded_10_100_mnist coded_10_200_mnist coded_10_300_mnist uncoded_70_cifar10
    coded_70_700_cifar10 coded_70_1400_cifar10 coded_70_2100_cifar10 uncoded_100_cifar10
    coded_100_1000_cifar10 coded_100_2000_cifar10 coded_100_3000_cifar10 uncoded_130_cifar10
    coded_130_1300_cifar10 coded_130_2600_cifar10 coded_130_3900_cifar10 uncoded_70_tiny_imagenet
    coded_70_700_tiny_imagenet coded_70_1400_tiny_imagenet coded_70_2100_tiny_imagenet
    uncoded_100_tiny_imagenet coded_100_1000_tiny_imagenet coded_100_2000_tiny_imagenet
    coded_100_3000_tiny_imagenet uncoded_130_tiny_imagenet coded_130_1300_tiny_imagenet
    coded_130_2600_tiny_imagenet coded_130_3900_tiny_imagenet uncoded_8_iwae_10 uncoded_8_iwae_20
    uncoded_8_iwae_30 uncoded_8_iwae_100 uncoded_8_vriwae_10 uncoded_8_vriwae_20 uncoded_8_vriwae_30
    uncoded_8_vriwae_dr_10 uncoded_8_vriwae_dr_20 uncoded_8_vriwae_dr_30 hier_5_50 hier_5_100
    uncoded_8_adjusted coded_8_240_adjusted coded_8_240_beta_5 coded_8_240_beta_10 coded_8_240_beta_20
    uncoded_8_beta_5 uncoded_8_beta_10 uncoded_8_beta_20
""".split()

SNRS = {"0p01": 0.01, "0p1": 0.1, "1": 1.0, "10": 10.0, "100": 100.0}
SYSTEMS = (
    """
    bwlc_source_vae bwlc_prior_gaussian bwlc_prior_convdraw bwlc_decoder_plain bwlc_alv bwlc_bsc_relaxed
    bwlc_bsc_mixture bwlc_bsc_loo bwlc_bec bwlc_joint_elbo bwlc_joint_element bwlc_joint_jscc1db
    bwlc_joint_jscc4db bwlc_joint_jscc7db bwlc_joint_jscc13db bwlc_joint_jscc19db
    bwlc_joint_snr10_cifar10 bwlc_prior_convdraw_cifar10 bwlc_bec_cifar10
""".split()
    + [f"bwlc_{kind}_snr{snr}" for kind in ("joint", "channel_ae", "separate") for snr in SNRS]
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv(zoo.ENVIRONMENT, raising=False)


def command(*arguments, **environment):
    """Runs `python -m tfcoded.zoo` in the clone."""
    return subprocess.run(
        [sys.executable, "-m", "tfcoded.zoo", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def add_weights(folder, name):
    """Puts what looks like a SavedModel into a folder of entries."""
    version = folder / name / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"not a SavedModel")
    return version


def test_all_published_names():
    assert len(PUBLISHED) == len(set(PUBLISHED)) == 68
    assert set(PUBLISHED) <= set(zoo.list())
    assert len(SYSTEMS) == len(set(SYSTEMS)) == 34
    assert set(SYSTEMS) == {name for name in zoo.list() if isinstance(zoo.config(name), SystemConfig)}
    assert set(SYSTEMS) == {name for name in zoo.list() if name.startswith("bwlc_")}


def expected_system(name):
    """The configuration of a communication system, without facts, by what its name says."""
    cifar10 = name.endswith("_cifar10")
    kind = name.removeprefix("bwlc_").removesuffix("_cifar10")
    stem, _, snr = kind.partition("_snr")
    settings = {"system": "joint", "dataset": "celeba", "beta": 0.1, "training": SystemTraining(16)}
    settings["channel"] = GaussianSettings(snr=SNRS[snr] if snr else 1.0)
    if kind in ("prior_gaussian", "prior_convdraw", "decoder_plain", "alv", "joint_elbo"):
        settings |= {"channel": GaussianSettings(bands=5), "training": SystemTraining(12)}
        settings["prior"] = "gaussian" if kind in ("prior_gaussian", "joint_elbo") else "draw"
        settings["objective"] = "elbo" if kind == "joint_elbo" else "rd"
        settings["decoder"] = {"decoder_plain": DrawSettings, "alv": ALVSettings}.get(kind, ResNetSettings)()
        if kind in ("decoder_plain", "alv"):
            settings["beta"] = 0.005  # 2 observation_std^2: a nat costs the same wherever it is said
    elif kind.startswith("bsc_"):
        mode = {"loo": "hard"}.get(kind[4:], kind[4:])
        settings["channel"] = BinarySymmetricSettings(p_keep=0.9, mode=mode)
    elif kind == "bec":
        settings["channel"] = BinaryErasureSettings(erase_probability=0.1)
    elif kind == "joint_element":
        settings["channel"] = GaussianSettings(power="element")
    elif kind.startswith("joint_jscc"):
        decibel = int(kind.removeprefix("joint_jscc").removesuffix("db"))
        settings["channel"] = GaussianSettings(snr=10 ** (decibel / 10), power="codeword")
    elif stem != "joint":
        settings["system"] = {"channel_ae": "channel_autoencoder"}.get(stem, stem)
    if stem == "channel_ae":
        settings |= {"dataset": "normal", "beta": 0.0, "training": SystemTraining(13)}
    if cifar10:  # of a size that two cores train
        epochs = settings["training"].epochs
        settings |= {"dataset": "cifar10", "beta": 0.01, "training": SystemTraining(epochs, batch_size=64)}
        if settings["channel"].kind == "gaussian":
            settings["channel"] = settings["channel"].replace(snr=10.0)
    return SystemConfig(name=name, network=SystemNetwork((32, 32, 3), "small" if cifar10 else "base"), **settings)


@pytest.mark.parametrize("name", SYSTEMS)
def test_system_is_what_its_name_says(name):
    entry = zoo.config(name)
    assert entry.without_facts() == expected_system(name)
    lines = (ROOT / "zoo" / name / "config.yaml").read_text().splitlines(keepends=True)
    header = [line.rstrip() for line in lines if line.startswith("#")]
    assert "".join(lines).partition("\n\n")[2] == config.to_yaml(entry)
    assert header[-1] == f"# Train it: python -m tfcoded.train --model={name}"
    assert f"{sum(entry.parameters.values()) / 1e6:.2f} M parameters, {entry.training.epochs} epochs" in header[-2]
    assert all(len(line) <= 120 for line in header)
    assert not entry.published


@pytest.mark.parametrize("name", ["bwlc_joint_snr1", "bwlc_alv", "bwlc_bec_cifar10", "bwlc_separate_snr1"])
def test_parameters_of_systems(name):
    check_parameters(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_parameters_of_all_systems(name):
    check_parameters(name)


def check_parameters(name):
    """Against the model: each part's, and nothing beside the parts."""
    from tfcoded import models

    entry = zoo.config(name)
    model = models.build(entry)
    counts = {
        layer.name.removeprefix("symbol_"): sum(weight.numpy().size for weight in layer.trainable_weights)
        for layer in model.layers
    }
    counts["prior"] = counts.pop("channel", 0)
    assert {part: count for part, count in counts.items() if count} == entry.parameters
    assert sum(weight.numpy().size for weight in model.trainable_weights) == sum(entry.parameters.values())


def test_separate_systems_are_made_of_the_other_entries():
    for snr in SNRS:
        separate = zoo.config(f"bwlc_separate_snr{snr}")
        source, channel = separate.part("source_vae"), separate.part("channel_autoencoder")
        assert source == zoo.config("bwlc_source_vae").without_facts().replace(name=source.name)
        alone = zoo.config(f"bwlc_channel_ae_snr{snr}")  # which needs no more steps than it has
        same = channel.replace(name=alone.name, training=alone.training)
        assert same == alone.without_facts()
        joint = zoo.config(f"bwlc_joint_snr{snr}")
        assert (joint.channel, joint.network, joint.beta) == (separate.channel, separate.network, separate.beta)


@pytest.mark.parametrize("name", SYSTEMS)
def test_smoke(name):
    entry, smoke = zoo.config(name), zoo.config(f"{name}_smoke")
    assert (smoke.name, smoke.network.size, smoke.training.batch_size) == (f"{name}_smoke", "smoke", 8)
    training = smoke.training.replace(batch_size=entry.training.batch_size)
    same = smoke.replace(name=name, network=entry.network, training=training)
    assert same == entry.without_facts() and smoke.parameters == {}
    assert smoke.name not in zoo.list()


def test_smoke_of_the_users_own(tmp_path):
    (tmp_path / "mine").mkdir()
    shutil.copy(ROOT / "zoo/bwlc_bec/config.yaml", tmp_path / "mine")
    assert zoo.config("mine_smoke", tmp_path).name == "mine_smoke"
    (tmp_path / "mine_smoke").mkdir()
    shutil.copy(ROOT / "zoo/bwlc_bec/config.yaml", tmp_path / "mine_smoke")  # an entry like any other
    assert zoo.config("mine_smoke", tmp_path) == zoo.config("bwlc_bec")
    with pytest.raises(UserError, match="no weights for 'bwlc_alv_smoke'"):
        zoo.load("bwlc_alv_smoke")


@pytest.mark.parametrize("name", PUBLISHED)
def test_entry_is_what_its_name_says(name):
    entry = zoo.config(name)
    assert entry.name == name
    suffixes = ("mnist", "cifar10", "tiny_imagenet")
    assert entry.dataset == next((each for each in suffixes if name.endswith(f"_{each}")), "fashion_mnist")
    grey = entry.dataset in ("fashion_mnist", "mnist")
    assert entry.likelihood == ("bernoulli" if grey else "gaussian")
    epochs = {"fashion_mnist": 200, "mnist": 100, "cifar10": 300, "tiny_imagenet": 300}[entry.dataset]
    assert entry.training == config.Training(epochs, 128, 1e-4, 1e-4)
    assert entry.beta == (float(name.rpartition("_")[2]) if "_beta_" in name else 15)
    family, first, *rest = name.split("_")
    if family == "uncoded":
        assert entry.code == codes.UncodedSettings(information_bits=int(first), code_bits=int(first))
    elif family == "coded":
        assert entry.code == codes.RepetitionSettings(information_bits=int(first), code_bits=int(rest[0]))
    else:  # each of the two branches is a 5/50 or 5/100 code
        assert entry.code == codes.HierarchicalSettings(
            information_bits=(int(first),) * 2, code_bits=(int(rest[0]),) * 2, polar=True
        )
    if "iwae" in name:
        doubly = "_dr_" in name
        assert entry.objective == (
            objectives.VrIwaeSettings(samples=int(rest[-1]), alpha=0.5, doubly_reparameterised=doubly)
            if "vriwae" in name
            else objectives.IwaeSettings(samples=int(rest[-1]), doubly_reparameterised=doubly)
        )
    else:
        assert entry.objective == objectives.ElboSettings()


@pytest.mark.parametrize("name", PUBLISHED)
def test_entry_carries_what_the_paper_reports(name):
    entry = zoo.config(name)
    assert 10 < entry.published["psnr"] < 22
    assert entry.tables
    assert set(entry.parameters) == {"encoder", "decoder"}
    assert config.from_yaml(config.to_yaml(entry)) == entry


@pytest.mark.parametrize("name", PUBLISHED)
def test_entry_says_how_to_train_it(name):
    lines = (ROOT / "zoo" / name / "config.yaml").read_text().splitlines()
    header = [line for line in lines if line.startswith("#")]
    assert header[-1] == f"# Train it: python -m tfcoded.train --model={name}"
    assert f"psnr {zoo.config(name).published['psnr']}" in " ".join(header)


@pytest.mark.parametrize(
    "name, widths",
    [
        ("uncoded_8", (512, 1024)),
        ("uncoded_8_adjusted", (522, 1050)),
        ("coded_8_240", (512, 1024)),
        ("coded_8_240_adjusted", (502, 998)),
    ],
)
def test_parameters_of_table_18(name, widths):
    entry = zoo.config(name)
    assert (entry.network.encoder_width, entry.network.decoder_width) == widths
    published = {part: entry.published[f"{part}_parameters"] for part in ("encoder", "decoder")}
    assert entry.parameters == published


def test_values_from_several_tables():
    entry = zoo.config("coded_8_240")
    assert entry.published["log_likelihood"] == -238.459
    assert entry.published["entropy"] == 4.0
    assert entry.conflicts == {"entropy": {"Table 19": 4.609}}
    assert zoo.config("hier_5_100").published["wer_m2"] == 0.287
    assert zoo.config("coded_130_3900_cifar10").published["fid"] == 108.561
    assert "psnr_train" in zoo.config("uncoded_8_beta_20").published


def test_list_sorts_numbers_by_value():
    names = [name for name in zoo.list() if name in PUBLISHED]
    assert names[:4] == ["coded_5_50", "coded_5_50_mnist", "coded_5_80", "coded_5_80_mnist"]
    assert names.index("uncoded_8_iwae_30") < names.index("uncoded_8_iwae_100")


@pytest.mark.parametrize("call", [zoo.config, zoo.saved_model_path, zoo.load])
def test_unknown_names(call):
    with pytest.raises(UserError) as error:
        call("coded_10_30")
    assert str(error.value) == (
        "unknown model 'coded_10_30'; did you mean 'coded_10_300'? python -m tfcoded.zoo lists all"
    )
    with pytest.raises(UserError, match="unknown model 'zzzzzzzz'; python -m tfcoded.zoo lists all"):
        call("zzzzzzzz")
    for name, near in (
        ("CODED_5_50", "coded_5_50"),
        ("bwlc_joint_snr1_smok", "bwlc_joint_snr1"),
        ("bwlc_joint_snr_smoke", "bwlc_joint_snr1_smoke"),
        ("coded_10_300_smoke", "coded_10_300"),
        ("coded_10_30_smoke", "coded_10_300"),
    ):
        with pytest.raises(UserError, match=f"unknown model '{name}'; did you mean '{near}'"):
            call(name)


@pytest.mark.parametrize("call", [zoo.config, zoo.saved_model_path, zoo.load])
def test_what_is_no_name_of_a_model(call):
    with pytest.raises(UserError, match="unknown model 'classifier_mnist'; classifiers are no models"):
        call("classifier_mnist")
    for path in ("../zoo/coded_8_240", "/etc", "runs/mine", "..", ""):
        with pytest.raises(UserError, match=f"unknown model '{path}'; a path is given by --saved_model or --workdir"):
            call(path)


@pytest.mark.parametrize(
    "call",
    [zoo.config, zoo.saved_model_path, zoo.trained_path, zoo.load, zoo.load_trained, zoo.measured, zoo.has_weights],
)
@pytest.mark.parametrize("name", [None, 3, b"coded_8_240", pathlib.Path("coded_8_240")])
def test_what_is_no_text_is_no_name(call, name):
    with pytest.raises(UserError, match="expected a str such as 'coded_10_300'"):
        call(name)


def test_no_name_leads_out_of_the_folders(tmp_path):
    inside = tmp_path / "zoo"
    inside.mkdir()
    add_weights(tmp_path, "outside")
    (tmp_path / "outside" / "metrics.json").write_text('{"metrics": {"psnr": 18.1}}')
    for name in ("../outside", str(tmp_path / "outside")):
        assert not zoo.has_weights(name, inside) and not zoo.measured(name, inside)
        assert zoo.find(name, inside) is None and zoo.find(f"{name}/1", inside) is None
        with pytest.raises(UserError, match=f"the zoo has no weights for '{name}'"):
            zoo.load_trained(name, inside)
    (inside / "SHA256SUMS").write_text(f"{'0' * 64}  ../outside/1/saved_model.pb\n")
    with pytest.raises(UserError, match="names ../outside/1/saved_model.pb, which is no path such as"):
        zoo.trained(inside)


def test_numbers_without_weights_lead_to_a_clone(tmp_path):
    """As in an installed wheel, which carries the configurations and what was measured."""
    packaged = tmp_path / "_zoo" / "mine"
    packaged.mkdir(parents=True)
    shutil.copy(ROOT / "zoo/coded_8_240/config.yaml", packaged)
    (packaged / "metrics.json").write_text('{"metrics": {"psnr": 18.1}}')
    with pytest.raises(UserError, match="for 'mine' .*; a clone of tfcoded's repository has them in zoo/mine; name a"):
        zoo.load("mine", tmp_path / "_zoo")
    with pytest.raises(UserError) as error:
        zoo.load_trained("classifier_absent")
    assert "a clone" not in str(error.value) and str(error.value).endswith("python -m tfcoded.train_classifier")


def test_directory_order(tmp_path, monkeypatch):
    assert zoo.directory() == ROOT / "zoo"
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.setenv(zoo.ENVIRONMENT, str(first))
    assert zoo.directory() == first
    assert zoo.directory(second) == second
    with pytest.raises(UserError, match="zoo_dir is .*nowhere', which is no folder"):
        zoo.directory(tmp_path / "nowhere")
    with pytest.raises(UserError, match="zoo_dir is '', which is no folder"):
        zoo.directory("")  # and not the current one
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="TFCODED_ZOO is"):
        zoo.list()


def test_folder_of_weights_only(tmp_path):
    version = add_weights(tmp_path, "coded_10_300")
    assert zoo.has_weights("coded_10_300", tmp_path)
    assert zoo.saved_model_path("coded_10_300", tmp_path) == version
    assert zoo.config("coded_10_300", tmp_path) == zoo.config("coded_10_300")


def test_entry_without_weights(tmp_path):
    (tmp_path / "mine").mkdir()
    shutil.copy(ROOT / "zoo/coded_10_300/config.yaml", tmp_path / "mine")
    assert not zoo.has_weights("mine", tmp_path)
    with pytest.raises(UserError, match="no weights for 'mine'.*python -m tfcoded.train --model=mine"):
        zoo.saved_model_path("mine", tmp_path)


def test_entries_of_the_users_own_come_first(tmp_path):
    text = (ROOT / "zoo/coded_10_300/config.yaml").read_text()
    for name in ("mine", "coded_10_300", "classifier_mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text.replace("epochs: 200", "epochs: 7"))
    (tmp_path / "empty").mkdir()
    assert set(zoo.list(tmp_path)) == set(zoo.list()) | {"mine"}
    assert zoo.config("coded_10_300", tmp_path).training.epochs == 7
    assert zoo.config("mine", tmp_path).training.epochs == 7


def test_an_entry_that_is_listed_and_missing_is_replaced_by_no_other(tmp_path):
    """A download that was cut short: the model of the next folder would be another one under the same name."""
    folder = tmp_path / "coded_8_240" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"mine")
    checksums.update(tmp_path, "coded_8_240")
    (folder / "saved_model.pb").unlink()
    assert zoo.has_weights("coded_8_240", tmp_path) and zoo.saved_model_path("coded_8_240", tmp_path) == folder
    assert zoo.measured_path("coded_8_240", zoo_dir=tmp_path) is None
    with pytest.raises(UserError, match="coded_8_240/1/saved_model.pb is missing"):
        zoo.load("coded_8_240", tmp_path)
    assert zoo.saved_model_path("uncoded_8", tmp_path).parts[-3:] == ("zoo", "uncoded_8", "1")


def test_find(tmp_path):
    (tmp_path / "classifier_mine").mkdir()
    assert zoo.find("classifier_mine", tmp_path) == tmp_path / "classifier_mine"
    assert zoo.find("coded_10_300", tmp_path) == ROOT / "zoo/coded_10_300"
    assert zoo.find("classifier_mine") is None
    assert zoo.find("coded_10_300/nothing", tmp_path) is None


def test_facts_are_of_the_entry_with_its_settings():
    entry = zoo.config("coded_8_240")
    shorter = config.override(entry, ["epochs=3"])
    assert zoo.with_own_facts(entry) == entry and zoo.with_own_facts(shorter) == shorter
    for change in ({"dataset": "mnist"}, {"beta": 10.0}, {"training": config.Training(200, batch_size=64)}):
        copied = entry.replace(**change)  # a copy of the file of which this was changed
        assert zoo.with_own_facts(copied) == entry.without_published().replace(**change)
    assert zoo.with_own_facts(entry.replace(name="mine")) == entry.without_facts(name="mine")
    assert zoo.with_own_facts(entry.without_facts()) == entry.without_facts()  # none is added
    system = zoo.config("bwlc_bec")
    assert zoo.with_own_facts(system.replace(name="coded_8_240")) == system.without_facts(name="coded_8_240")


def test_measured_metrics(tmp_path):
    entry = tmp_path / "coded_5_50_mnist"
    entry.mkdir()
    metrics = {
        "psnr": {"value": 18.1, "standard_error": 0.02},
        "entropy": 5,
        "ber": {"value": 0.03},
        "wer": {"value": 0.3, "standard_error": None},
        "later": {"value": None, "standard_error": None},
        "odd": "text",
        "flag": True,
    }
    (entry / "metrics.json").write_text(json.dumps({"name": "x", "metrics": metrics}))
    assert zoo.measured("coded_5_50_mnist", tmp_path) == {
        "psnr": zoo.Measurement(18.1, 0.02),
        "entropy": zoo.Measurement(5.0, None),
        "ber": zoo.Measurement(0.03, None),
        "wer": zoo.Measurement(0.3, None),
    }
    assert zoo.measured("nothing", tmp_path) == {}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"metrics": 3}', "", '{"metrics": {}, "training": 3}', '{"metrics": {}, "likelihood": [1]}'],
)
def test_damaged_metrics(tmp_path, text):
    (tmp_path / "coded_5_50_mnist").mkdir()
    (tmp_path / "coded_5_50_mnist/metrics.json").write_text(text)
    with pytest.raises(UserError, match="metrics.json is damaged"):
        zoo.measured("coded_5_50_mnist", tmp_path)
    result = command(f"--zoo_dir={tmp_path}", "--dataset=mnist")
    assert result.returncode == 0
    assert result.stderr.startswith("warning: ") and result.stderr.count("\n") == 1
    assert "coded_5_50_mnist" in result.stdout


def test_metrics_of_other_weights_are_not_shown(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    add_weights(ours, "mine")
    for folder in (ours, theirs):
        (folder / "mine").mkdir(parents=True, exist_ok=True)
    (theirs / "mine/metrics.json").write_text('{"metrics": {"psnr": 18.1}}')
    assert zoo.measured("mine", theirs) == {"psnr": zoo.Measurement(18.1, None)}
    assert zoo.measured("mine", ours) == {}


def test_load(tmp_path):
    with pytest.raises(UserError, match="damaged"):
        add_weights(tmp_path, "coded_5_50")
        zoo.load("coded_5_50", tmp_path)

    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "coded_10_300" / "1"))
    with pytest.raises(UserError, match="coded_10_300/1 holds a SavedModel without configuration"):
        zoo.load("coded_10_300", tmp_path)
    assert zoo.load_saved_model(tmp_path / "coded_10_300" / "1").double([1.5]).numpy().tolist() == [3.0]


def test_table():
    result = command()
    assert (result.returncode, result.stderr) == (0, "")
    first, second = (table.splitlines() for table in result.stdout.split("\n\n"))
    rows = {line.split()[0]: line.split() for line in first[2:]}
    assert set(rows) == set(zoo.list()) - set(SYSTEMS)
    assert rows["coded_10_300"][1:6] == ["fashion_mnist", "10/300", "0.0333", "26.38", "18.111"]
    assert rows["uncoded_70_cifar10"][7] == "-"  # no accuracy is reported on CIFAR-10
    rows = {line.split()[0]: line.split()[1:] for line in second[2:]}
    assert set(rows) == set(SYSTEMS)
    settings = {name: row[:-4] for name, row in rows.items()}  # what was measured depends on what is shipped
    assert settings["bwlc_alv"] == ["celeba", "joint", *"gaussian snr 1 draw alv 100 5 0.005 4.15".split()]
    assert settings["bwlc_bsc_loo"] == ["celeba", "joint", *"bsc 0.9 hard - resnet 100 1 0.1 3.44".split()]
    assert rows["bwlc_joint_jscc1db"][2:7] == "gaussian snr 1.26 per codeword".split()
    channel = "normal channel_autoencoder gaussian snr 10 - - 100 - 0 0.25".split()
    assert settings["bwlc_channel_ae_snr10"] == channel
    assert rows["bwlc_source_vae"][:5] == ["celeba", "source_vae", "-", "-", "resnet"]
    names = [name for name in rows if "_joint_snr" in name]
    assert names == [*(f"bwlc_joint_snr{snr}" for snr in [*SNRS][:4]), "bwlc_joint_snr10_cifar10", "bwlc_joint_snr100"]
    for table in (first, second):
        assert len({len(line) for line in table[1:]}) == 1


def test_table_of_one_data_set(tmp_path):
    add_weights(tmp_path, "coded_5_50_mnist")
    metrics = {"psnr": {"value": 14.5}, "ber": 0.25}
    (tmp_path / "coded_5_50_mnist/metrics.json").write_text(json.dumps({"metrics": metrics}))
    result = command("--dataset=mnist", TFCODED_ZOO=str(tmp_path))
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[2:]}
    assert set(rows) == {name for name in zoo.list() if zoo.config(name).dataset == "mnist"}
    assert rows["coded_5_50_mnist"] == (
        "mnist 5/50 0.1 26.00 14.888 14.500 0.887 - 2.073 - 0.007 0.250 0.034 - ?/100 0.0".split()
    )


def test_table_of_systems(tmp_path):
    add_weights(tmp_path, "bwlc_bec")
    metrics = {"mse": {"value": 0.012345, "standard_error": 0.001}, "rate": 80.04}
    (tmp_path / "bwlc_bec/metrics.json").write_text(json.dumps({"metrics": metrics, "epochs": 3}))
    result = command("--dataset=celeba", f"--zoo_dir={tmp_path}")
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[2:]}
    assert set(rows) == {name for name in SYSTEMS if zoo.config(name).dataset == "celeba"}
    assert rows["bwlc_bec"] == "celeba joint bec 0.1 - resnet 100 1 0.1 3.44 0.01235 80.0 3/16 0.0".split()


def test_tables_in_markdown():
    text, markdown = (command(f"--format={format}").stdout.split("\n\n") for format in ("text", "markdown"))
    for plain, table in zip(text, markdown, strict=True):
        heading, ruler, *rows = [re.split(r" *\| *", line)[1:-1] for line in table.splitlines()]
        assert len({len(cells) for cells in (heading, ruler, *rows)}) == 1
        assert [" ".join(cells).replace("`", "") for cells in rows] == [
            " ".join(line.split()) for line in plain.splitlines()[2:]
        ]
    heading, other = (re.sub(" +", " ", table.splitlines()[0]) for table in markdown)
    assert "| bits, M/D | rate | parameters, million | psnr, paper | psnr, here | accuracy, paper |" in heading
    assert heading.endswith("| wer, here | weights, epochs | weights, MB |")
    assert other.endswith("| parameters, million | mse, here | rate, bits | weights, epochs | weights, MB |")


def test_the_table_beside_the_entries_is_up_to_date():
    assert (
        (ROOT / "zoo" / "README.md").read_text().endswith("\n\n" + command("--format=markdown", TFCODED_ZOO="").stdout)
    )


def test_one_smoke_configuration_in_full():
    result = command("bwlc_alv_smoke")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"# {ROOT / 'zoo/bwlc_alv/config.yaml'}\n# With network.size=smoke, training.b")
    assert config.to_yaml(zoo.config("bwlc_alv_smoke")) in result.stdout
    assert result.stdout.endswith("weights: none\n")


def test_one_entry_in_full(tmp_path):
    version = add_weights(tmp_path, "coded_5_50_mnist")
    metrics = {"psnr": {"value": 14.500312345678, "standard_error": 0.0123456}, "elbo": -120.251234567}
    (tmp_path / "coded_5_50_mnist/metrics.json").write_text(json.dumps({"metrics": metrics}))
    result = command("coded_5_50_mnist", f"--zoo_dir={tmp_path}")
    assert (result.returncode, result.stderr) == (0, "")
    assert (ROOT / "zoo/coded_5_50_mnist/config.yaml").read_text().strip() in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["psnr", "14.888", "14.500", "0.012"] in rows
    assert ["ber", "0.007", "-", "-"] in rows
    assert ["elbo", "-", "-120.251", "-"] in rows
    assert ["weights:", str(version)] in rows


def test_a_likelihood_of_another_prior_says_so_beside_the_published_one(tmp_path):
    likelihood = {"log_likelihood": {"images": 5, "a": [0.4], "b": [0.5], "bias_at_most": None}}
    content = {"metrics": {"log_likelihood": {"value": -236.1, "standard_error": 5.1}}, "likelihood": likelihood}
    (tmp_path / "coded_8_240").mkdir()
    (tmp_path / "coded_8_240/metrics.json").write_text(json.dumps(content))
    rows = [line.split() for line in zoo_command._entry("coded_8_240", tmp_path).splitlines()]
    assert ["log_likelihood", "(another", "prior,", "lower", "bound)", "-238.459", "-236.1", "5.1"] in rows


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["coded_10_30"], "unknown model 'coded_10_30'; did you mean 'coded_10_300'?"),
        (["--dataset=minst"], "no entry for data set 'minst'; did you mean 'mnist'?"),
        (["--dataset=zzzzzz"], "expected one of celeba, cifar10, fashion_mnist, mnist, normal, tiny_imagenet"),
        (["--zoo_dir=/does/not/exist"], "zoo_dir is '/does/not/exist', which is no folder"),
        (["coded_5_50", "coded_5_80"], "unexpected argument 'coded_5_80'"),
    ],
)
def test_command_line_mistakes(arguments, message):
    result = command(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert message in result.stderr


def test_broken_configuration_names_the_file(tmp_path):
    path = tmp_path / "coded_5_50/config.yaml"
    path.parent.mkdir()
    path.write_text((ROOT / "zoo/coded_5_50/config.yaml").read_text().replace("epochs:", "epoch:"))
    result = command(f"--zoo_dir={tmp_path}")
    assert result.returncode == 2
    assert result.stderr == f"error: {path}: unknown key 'epoch' in training; did you mean 'epochs'?\n"


@pytest.mark.parametrize("arguments", [[], ["coded_10_300"], ["bwlc_joint_snr1_smoke"], ["--help"]])
def test_command_line_does_not_import_tensorflow(arguments):
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['zoo', *{arguments!r}]\n"
        "try:\n    runpy.run_module('tfcoded.zoo', run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n    print('\\nimported:', {'tensorflow', 'keras', 'numpy'} & set(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "coded_10_300" in result.stdout or "bwlc_joint_snr1_smoke" in result.stdout
    assert result.stdout.splitlines()[-1] == "imported: set()"
