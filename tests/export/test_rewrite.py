"""SavedModels written again: other graphs around the same stored numbers."""

import hashlib
import json

import commands
import numpy as np
import pytest
import small_models
import small_systems
import tensorflow as tf
import tiny_networks

from export import rewrite
from tfcoded import config
from tfcoded.networks.classifier import Classifier
from tfcoded.utils import inputs
from tfcoded.utils.errors import UserError
from tfcoded.zoo import checksums, golden, verification
from tfcoded.zoo.saving import export_saved_model, save

CASES = [("repetition", "int4"), ("repetition", "bfloat16"), ("bands", "int8"), ("erasing", "float32")]


def unchecked(patch):
    """Until `patch` ends, models are exported without checks, as they once were."""
    for name in ("images", "reals", "one_of", "unit_interval", "count", "seed"):
        patch.setattr(inputs, name, lambda value, *rest: tf.convert_to_tensor(value))


def entry(folder, name, storage):
    """A zoo folder with the entry `name`, exported without checks; returns its configuration and images."""
    small = small_models if name in small_models.CODES else small_systems
    settings = small.configuration(name)
    images = small.images(settings, 4)
    model = small.build(settings)
    with pytest.MonkeyPatch.context() as patch:
        unchecked(patch)
        saved = export_saved_model(model, settings, folder / name, storage)
    (folder / name / "config.yaml").write_text(config.to_yaml(settings))
    loaded = tf.saved_model.load(str(saved))
    (folder / name / "golden.npz").write_bytes(golden.record(loaded, settings, images))
    checksums.update(folder, name)
    return settings, images


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def kept(before, after, name):
    """Whether the files with the numbers are the same bytes and the graph is another."""
    changed = {path for path in before if before[path] != after[path]}
    return before.keys() == after.keys() and changed == {
        f"{name}/1/saved_model.pb", f"{name}/1/fingerprint.pb", "SHA256SUMS"
    }  # fmt: skip


@pytest.mark.parametrize("name, storage", CASES)
def test_the_numbers_stay_and_the_graph_is_the_present_one(name, storage, tmp_path, monkeypatch):
    tiny_networks.replace_networks(monkeypatch)  # of the Coded-DVAE
    settings, images = entry(tmp_path, name, storage)
    before = digests(tmp_path)
    old = tf.saved_model.load(str(tmp_path / name / "1"))
    method = "draw" if name == "repetition" else "transmit"
    answered = old.signatures[method](images=tf.constant(images), seed=tf.constant([1]))  # a seed of one number
    assert len(answered) > 0
    rewrite.rewrite(name, tmp_path)
    assert kept(before, digests(tmp_path), name)
    assert "golden outputs" in verification.verify(name, tmp_path)
    new = tf.saved_model.load(str(tmp_path / name / "1"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="seed"):
        new.signatures[method](images=tf.constant(images), seed=tf.constant([1]))
    seed = tf.constant([1, 2])
    for key, value in getattr(old, method)(images, seed).items():
        np.testing.assert_array_equal(getattr(new, method)(images, seed)[key], value)


def test_a_classifier(tmp_path):
    classifier = Classifier(filters=(2, 3))
    classifier(np.ones([2, 12, 12, 1], np.float32), training=True)
    with pytest.MonkeyPatch.context() as patch:
        unchecked(patch)
        save(classifier.folded((12, 12, 1)), tmp_path / "classifier_mine")
    checksums.update(tmp_path, "classifier_mine")
    before = digests(tmp_path)
    rewrite.rewrite("classifier_mine", tmp_path)
    assert kept(before, digests(tmp_path), "classifier_mine")
    loaded = tf.saved_model.load(str(tmp_path / "classifier_mine" / "1"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="images"):
        loaded.signatures["classify"](images=tf.zeros([144], tf.uint8))


def test_a_model_with_other_outputs_is_left_as_it_is(tmp_path):
    settings, images = entry(tmp_path, "erasing", "float32")
    path = tmp_path / "erasing" / "golden.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"rates/rate": arrays["rates/rate"] + 1})
    checksums.update(tmp_path, "erasing")
    before = digests(tmp_path)
    with pytest.raises(UserError, match="the model's outputs are not those in .*: rates/rate differs"):
        rewrite.rewrite("erasing", tmp_path)
    assert digests(tmp_path) == before
    with pytest.raises(UserError, match="is left as it is: written again, it would hold another"):
        other = tmp_path / "other"
        export_saved_model(small_systems.build(settings, seed=1), settings, other)
        rewrite._require_same_numbers(tmp_path / "erasing" / "1", other / "1")


def test_command(tmp_path):
    entry(tmp_path, "erasing", "float32")
    record = tmp_path / "erasing" / "metrics_train.json"
    record.write_text(json.dumps({"metrics": {"mse": 0.5}, "bytes": 1}))
    done = commands.run("export.rewrite", f"--zoo_dir={tmp_path}")
    assert done.returncode == 0 and "erasing  " in done.stdout, done.stderr[-2000:]
    size = sum(path.stat().st_size for path in (tmp_path / "erasing" / "1").rglob("*") if path.is_file())
    assert json.loads(record.read_text()) == {"metrics": {"mse": 0.5}, "bytes": size}
    assert "| `erasing` |" in (tmp_path / "README.md").read_text()
    done = commands.run("export.rewrite", "absent", f"--zoo_dir={tmp_path}")
    assert done.returncode == 2 and "error: the zoo has no weights for 'absent'" in done.stderr
