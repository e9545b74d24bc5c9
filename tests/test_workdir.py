import dataclasses
import json

import pytest

from tfcoded import config as configuration
from tfcoded import zoo
from tfcoded.errors import UserError
from tfcoded.workdir import Workdir, differences, read_run

RUN = {"seed": 0, "train_images": 10}


@pytest.fixture
def config():
    return zoo.config("coded_8_80")


def test_a_folder_is_made_and_taken_up_again(tmp_path, config):
    first = Workdir(tmp_path / "runs" / "a", config, RUN)
    assert read_run(first.path) == RUN
    del first  # and with it the lock
    longer = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=999))
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
    Workdir(tmp_path, dataclasses.replace(system, figures=(), parameters={}), RUN)
    with pytest.raises(UserError, match="training.epochs: 16 there, 3 here"):
        Workdir(tmp_path, configuration.override(system, ["epochs=3"]), RUN)
    with pytest.raises(UserError, match="channel.snr: 1.0 there, 10.0 here"):
        Workdir(tmp_path, configuration.override(system, ["snr=10"]), RUN)


def test_settings_that_only_one_of_two_has():
    joint, separate = zoo.config("bwlc_joint_snr1"), zoo.config("bwlc_separate_snr1")
    assert differences(joint, joint) == []
    assert "system joint, not separate" in differences(joint, separate)
    assert "decoder.kind resnet, not -" in differences(joint, separate)


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


@pytest.mark.parametrize("text", ["{", "[]", '{"elbo": [1]}', '{"epoch": [1, 2], "elbo": [1]}', '{"epoch": 3}'])
def test_a_damaged_history_is_named(tmp_path, config, text):
    workdir = Workdir(tmp_path, config, RUN)
    (tmp_path / "history.json").write_text(text)
    with pytest.raises(UserError, match="history.json is damaged"):
        workdir.history(2)


def test_results_count_for_their_number_of_epochs_only(tmp_path, config):
    workdir = Workdir(tmp_path, config, RUN)
    assert workdir.results(2) is None
    (tmp_path / "metrics.json").write_text(json.dumps({"epochs": 2}))
    assert workdir.results(2) == {"epochs": 2}
    assert workdir.results(3) is None
    (tmp_path / "metrics.json").write_text("{")
    assert workdir.results(2) is None
