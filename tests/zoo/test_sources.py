import json

import numpy as np
import pytest
import tensorflow as tf

from tfcoded import data, zoo
from tfcoded.networks.classifier import FoldedClassifier
from tfcoded.utils.errors import UserError
from tfcoded.zoo import checksums, folders, identity, restoring, sources


def touch(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")


def test_the_largest_version_is_taken(tmp_path):
    for version in ("2", "10", "9", "11x", "v12"):
        touch(tmp_path / version / "saved_model.pb")
    (tmp_path / "30").mkdir()  # not yet copied in whole
    assert folders.saved_model_folder(tmp_path) == tmp_path / "10"
    assert folders.saved_model_folder(tmp_path / "2") == tmp_path / "2"


def test_folders_without_a_model(tmp_path):
    with pytest.raises(UserError, match="neither saved_model.pb nor a version folder"):
        folders.saved_model_folder(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        folders.saved_model_folder(tmp_path / "absent")


@pytest.mark.parametrize("path", [None, "", 3])
@pytest.mark.parametrize(
    "call", [folders.saved_model_folder, folders.find_saved_model, sources.load_run, sources.checkpoint_epochs]
)
def test_what_is_no_path(call, path, tmp_path, monkeypatch):
    touch(tmp_path / "1" / "saved_model.pb")
    monkeypatch.chdir(tmp_path)  # which an empty path would stand for
    with pytest.raises(UserError, match=f"is {path!r}; expected the path of a folder"):
        call(path)


def test_epochs_are_told_where_they_are_recorded(tmp_path):
    version = tmp_path / "run" / "saved_model" / "1"
    touch(version / "saved_model.pb")
    assert sources._recorded_epochs(version) is None
    (tmp_path / "run" / "metrics.json").write_text('{"epochs": 7}')
    assert sources._recorded_epochs(version) == 7
    (tmp_path / "run" / "saved_model" / "metrics.json").write_text("damaged")
    assert sources._recorded_epochs(version) == 7


def test_the_epochs_of_a_run_are_those_of_its_weights(monkeypatch):
    """A training that goes on may finish an epoch while its checkpoint is read."""
    finished, loaded, config = iter([2, 3, 3, 3]), [], zoo.config("uncoded_8")
    monkeypatch.setattr(sources, "checkpoint_epochs", lambda workdir: next(finished))
    monkeypatch.setattr(identity, "configuration_of", lambda codec, workdir: config)
    monkeypatch.setattr(restoring, "load_workdir", lambda workdir: loaded.append(workdir) or f"read {len(loaded)}")
    assert sources.load_run("run") == sources.Source("read 2", config, 3)


def test_what_is_published_is_of_runs_from_scratch(tmp_path, monkeypatch):
    config = zoo.config("uncoded_8")
    monkeypatch.setattr(identity, "configuration_of", lambda codec, workdir: config)
    monkeypatch.setattr(restoring, "load_workdir", lambda workdir: None)
    for start, expected in ((None, config), ("zoo/uncoded_8", config.without_published())):
        (tmp_path / "run.json").write_text(json.dumps({"initial_weights": start}))
        assert sources.load_run(tmp_path).config == expected


def test_classifier_of_the_zoo(tmp_path):
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=shape) for shape in ([3, 3, 1, 32], [3, 3, 32, 64], [2304, 10])]
    folded = FoldedClassifier(kernels, [np.zeros(32), np.zeros(64), np.arange(10.0)], (28, 28, 1))
    tf.saved_model.save(folded, str(tmp_path / "classifier_mine" / "1"), folded.signatures())
    classify = sources.load_classifier("mine", tmp_path)
    x = tf.zeros([3, 28, 28, 1])
    np.testing.assert_allclose(classify(x), [np.arange(10.0)] * 3)
    np.testing.assert_allclose(classify(tf.zeros([1, 28, 28, 1], tf.uint8)), [np.arange(10.0)])
    assert sources.load_classifier("another", tmp_path) is None
    assert sources.load_classifier("../classifier_mine", tmp_path) is None
    tf.saved_model.save(tf.Module(), str(tmp_path / "classifier_other" / "1"))
    with pytest.raises(UserError, match="classifier_other/1 holds a SavedModel without classify"):
        sources.load_classifier("other", tmp_path)
    for call in (sources.load_classifier, sources.load_entry):
        with pytest.raises(UserError, match="is None; expected"):
            call(None)
    own = sources.load_classifier("another", tmp_path, tmp_path / "classifier_mine")
    np.testing.assert_allclose(own(x), classify(x))

    def dataset(side, labels):
        images = np.zeros([len(labels), side, side, 1], np.uint8)
        return data.Dataset("faces", images, np.array(labels), images, None)

    own.require(dataset(28, [0, 9]))
    for other, words in (
        (dataset(32, [0, 1]), "1 is of images of 28x28x1; those of faces are 32x32x1"),
        (dataset(28, [0, 10]), "1 knows the labels 0 to 9; those of faces go from 0 to 10"),
        (dataset(28, [-1, 0]), "those of faces go from -1 to 0"),
    ):
        with pytest.raises(UserError, match=words):
            own.require(other)
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "absent"):
        with pytest.raises(UserError, match=f"--classifier .*{folder} holds no SavedModel; expected the --out of"):
            sources.load_classifier("another", tmp_path, tmp_path / folder)
    tf.saved_model.save(tf.Module(), str(tmp_path / "module" / "1"))
    with pytest.raises(UserError, match="module/1 holds a SavedModel without classify"):
        sources.load_classifier("another", tmp_path, tmp_path / "module")


def test_a_saved_model_named_by_its_folder_is_compared_with_the_index_too(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "mine" / "1"))
    checksums.update(tmp_path, "mine")
    zoo.load_saved_model(tmp_path / "mine" / "1")
    with open(tmp_path / "mine" / "1" / "fingerprint.pb", "ab") as file:
        file.write(b" ")
    with pytest.raises(UserError, match="mine/1/fingerprint.pb is damaged"):
        zoo.load_saved_model(tmp_path / "mine" / "1")
    (tmp_path / "SHA256SUMS").write_text("SHA256 (something.iso) = 0123\n")  # of something else
    zoo.load_saved_model(tmp_path / "mine" / "1")


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_saved_model_that_was_copied_in_part_is_named(tmp_path, file, kept):
    module = tf.Module()
    module.weights = tf.Variable(tf.range(1000.0))
    tf.saved_model.save(module, str(tmp_path / "1"))
    content = (tmp_path / "1" / file).read_bytes()
    (tmp_path / "1" / file).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match="the SavedModel in .* is damaged"):
        zoo.load_saved_model(tmp_path / "1")
