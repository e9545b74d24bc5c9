import json

import pytest

from tfcoded import config as configuration, zoo
from tfcoded.runs.workdir import Workdir, differences, read_history, read_run
from tfcoded.utils.errors import UserError

RUN = {"seed": 0, "train_images": 10}


@pytest.fixture
def config():
    return zoo.config("coded_8_80")


def test_a_folder_is_made_and_taken_up_again(tmp_path, config):
    first = Workdir(tmp_path / "runs" / "a", config, RUN)
    assert read_run(first.path) == RUN
    del first  # and with it the lock
    longer = config.replace(training=config.training.replace(epochs=999))
    assert Workdir(tmp_path / "runs" / "a", longer, RUN).path == tmp_path / "runs" / "a"


def test_a_run_that_needs_too_much_memory_goes_on_with_fewer_samples_at_once(tmp_path):
    iwae = zoo.config("uncoded_8_iwae_100")
    first = Workdir(tmp_path, iwae, RUN)
    del first
    Workdir(tmp_path, configuration.override(iwae, ["samples_at_once=2"]), RUN)
    with pytest.raises(UserError, match="objective.samples: 100 there, 50 here"):
        Workdir(tmp_path, configuration.override(iwae, ["objective.samples=50"]), RUN)


def test_the_epochs_of_a_communication_system_are_a_setting(tmp_path):
    """Its learning rate falls over all of them, and beta grows over a part."""
    system = zoo.config("bwlc_joint_snr1")
    first = Workdir(tmp_path, system, RUN)
    del first
    Workdir(tmp_path, system.replace(figures=(), parameters={}), RUN)
    with pytest.raises(UserError, match="training.epochs: 16 there, 3 here"):
        Workdir(tmp_path, configuration.override(system, ["epochs=3"]), RUN)
    with pytest.raises(UserError, match="channel.snr: 1.0 there, 10.0 here"):
        Workdir(tmp_path, configuration.override(system, ["snr=10"]), RUN)


def test_settings_that_only_one_of_two_has():
    joint, separate = zoo.config("bwlc_joint_snr1"), zoo.config("bwlc_separate_snr1")
    assert differences(joint, joint) == []
    assert "system joint, not separate" in differences(joint, separate)
    assert "decoder.kind resnet, not -" in differences(joint, separate)


def test_fewer_epochs_than_were_trained_are_refused(tmp_path, config):
    first = Workdir(tmp_path, configuration.override(config, ["epochs=20"]), RUN)
    before = (tmp_path / "config.yaml").read_text()
    del first
    with pytest.raises(UserError, match="was trained for 8 epochs already, more than 7; give --epochs=8 or more"):
        Workdir(tmp_path, configuration.override(config, ["epochs=7"]), RUN, trained=8)
    assert (tmp_path / "config.yaml").read_text() == before
    Workdir(tmp_path, configuration.override(config, ["epochs=8"]), RUN, trained=8)  # ends the run early


def test_initial_weights_are_compared_as_paths_and_kept_as_given(tmp_path, config, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given in ("a/epoch-3", "./a/../a/epoch-3/", str(tmp_path / "a" / "epoch-3")):
        assert Workdir("run", config, RUN | {"initial_weights": given})
        assert read_run("run")["initial_weights"] == given
    for given in ("b/epoch-3", None):
        with pytest.raises(UserError, match=f"initial_weights: .*epoch-3 there, {given} here"):
            Workdir("run", config, RUN | {"initial_weights": given})


def test_exchanged_images_are_noticed(tmp_path, config):
    digests = {"train_images_sha256": "1f", "test_images_sha256": "2e"}
    Workdir(tmp_path, config, RUN)  # of a run from before they were kept, nothing is known
    Workdir(tmp_path, config, RUN | digests)
    assert read_run(tmp_path) == RUN | digests
    for part in ("train", "test"):
        with pytest.raises(UserError, match=f"holds another run \\(the {part}[a-z]* images are others than there\\)"):
            Workdir(tmp_path, config, RUN | digests | {f"{part}_images_sha256": "3d"})
    with pytest.raises(UserError, match="another run \\(train_images: 10 there, 5 here\\)"):
        Workdir(tmp_path, config, RUN | {"train_images": 5, "train_images_sha256": "3d"})
    assert read_run(tmp_path) == RUN | digests


def test_what_was_trained_and_has_no_checkpoint(tmp_path, config):
    workdir = Workdir(tmp_path, config, RUN)
    workdir.require_checkpoint(0)
    workdir.write_history({"epoch": [1]})
    workdir.require_checkpoint(0)  # killed before the first was saved
    (tmp_path / "metrics.json").write_text("{}")
    workdir.require_checkpoint(1)
    with pytest.raises(UserError, match="was trained for 1 epochs, but its checkpoints are missing; put them back, or"):
        workdir.require_checkpoint(0)
    (tmp_path / "metrics.json").unlink()
    workdir.write_history({"epoch": [1, 2]})
    with pytest.raises(UserError, match="was trained for 2 epochs"):
        workdir.require_checkpoint(0)


def test_a_start_that_was_killed_early_is_no_obstacle(tmp_path, config):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / ".run.json.x3f").write_text("")
    Workdir(tmp_path, config, RUN)


def test_two_at_once(tmp_path, config):
    first = Workdir(tmp_path, config, RUN)
    with pytest.raises(UserError, match="another process is training"):
        Workdir(first.path, config, RUN)


def test_history_is_cut_by_epoch(tmp_path, config):
    workdir = Workdir(tmp_path, config, RUN)
    assert workdir.history(3) == {}
    workdir.write_history({"epoch": [3, 4, 5], "elbo": [-3.0, -4.0, -5.0]})
    assert workdir.history(4) == {"epoch": [3, 4], "elbo": [-3.0, -4.0]}
    assert workdir.history(2) == {"epoch": [], "elbo": []}


@pytest.mark.parametrize("text", ["[1]", "null", "{", "3"])
def test_a_damaged_run_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match="run.json is missing or damaged"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"elbo": [1]}',
        '{"epoch": [1, 2], "elbo": [1]}',
        '{"epoch": 3}',
        '{"epoch": [1], "elbo": ["-3.0"]}',
        '{"epoch": [1], "elbo": "3"}',
        '{"epoch": [null], "elbo": [1]}',
    ],
)
def test_a_damaged_history_is_named(tmp_path, config, text):
    workdir = Workdir(tmp_path, config, RUN)
    (tmp_path / "history.json").write_text(text)
    with pytest.raises(UserError, match="history.json is damaged"):
        workdir.history(2)


def test_epochs_without_a_test_are_no_damage(tmp_path):
    (tmp_path / "history.json").write_text('{"epoch": [1, 2], "val_elbo": [null, -3]}')
    assert read_history(tmp_path)["val_elbo"] == [None, -3]


def test_results_count_for_their_number_of_epochs_only(tmp_path, config):
    workdir = Workdir(tmp_path, config, RUN)
    assert workdir.results(2) is None
    (tmp_path / "metrics.json").write_text(json.dumps({"epochs": 2}))
    assert workdir.results(2) == {"epochs": 2}
    assert workdir.results(3) is None
    (tmp_path / "metrics.json").write_text("{")
    assert workdir.results(2) is None
