"""The semantic classifier: layers, folding, stored form, training batches, the shipped artefacts."""

import gzip
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.data import Dataset
from tfcoded.networks.classifier import Classifier
from tfcoded.training import classifier as classifier_training
from tfcoded.training.backup import Backup
from tfcoded.utils.errors import UserError

ZOO = pathlib.Path(__file__).resolve().parents[2] / "zoo"


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, [6, 28, 28, 1]).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(images):
    """A classifier whose batch norms have seen statistics of their own."""
    classifier = Classifier(seed=3)
    classifier(images / np.float32(255))
    rng = np.random.default_rng(1)
    for layer in classifier.normalizations:
        gamma, beta, mean, variance = layer.get_weights()
        layer.set_weights(
            [
                gamma + rng.normal(0, 0.3, gamma.shape),
                beta + rng.normal(0, 0.3, beta.shape),
                mean + rng.normal(0, 0.3, mean.shape),
                variance * rng.uniform(0.2, 2, variance.shape),
            ]
        )
    for layer in (*classifier.convolutions, classifier.dense_1, classifier.dense_3):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias + rng.normal(0, 0.3, bias.shape)])
    return classifier


def test_parameters(trained):
    batch_norms = 4 * (32 + 64)
    convolutions = 9 * 32 + 32 + 9 * 32 * 64 + 64
    dense = 6 * 6 * 64 * 1024 + 1024 + 1024 * 128 + 128 + 128 * 10 + 10
    assert trained.count_params() == batch_norms + convolutions + dense


def test_dropout_is_active_in_training_only(trained, images):
    x = images / np.float32(255)
    np.testing.assert_array_equal(trained(x), trained(x))
    assert not np.allclose(trained(x, training=True), trained(x, training=True))


def test_same_seed_same_weights():
    x = np.ones([1, 28, 28, 1], np.float32)
    first, again, other = (Classifier(seed=seed)(x).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_configuration_round_trip():
    copy = Classifier.from_config(Classifier(classes=7, seed=5, filters=(2, 3, 4)).get_config())
    assert (copy.classes, copy.seed, copy.filters) == (7, 5, (2, 3, 4))


def test_folding_changes_nothing(trained, images):
    x = images / np.float32(255)
    folded = trained.folded((28, 28, 1))
    np.testing.assert_allclose(folded.classify(tf.constant(x)), trained(x), atol=1e-4, rtol=1e-5)
    assert sum(v.shape.num_elements() for v in folded.variables) == 41_866


def test_folding_three_convolutions():
    classifier = Classifier(classes=4, filters=(2, 3, 5))
    x = np.random.default_rng(2).random([3, 32, 32, 3]).astype(np.float32)
    classifier(x, training=True)
    folded = classifier.folded((32, 32, 3))
    assert [tuple(kernel.shape) for kernel in folded.kernels] == [(3, 3, 3, 2), (3, 3, 2, 3), (3, 3, 3, 5), (20, 4)]
    np.testing.assert_allclose(folded.classify(tf.constant(x)), classifier(x), atol=1e-5, rtol=1e-5)


def test_stored_form(trained, images, tmp_path):
    folded = trained.folded((28, 28, 1))
    tf.saved_model.save(folded, str(tmp_path / "1"), folded.signatures())
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size < 4 * 41_866 + 150_000  # the numbers once, and the graph

    # A process that knows nothing of this package loads it.
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, numpy as np, tensorflow as tf; m = tf.saved_model.load('1'); x = np.load('images.npy');"
        "a = m.classify(tf.constant(x)); b = m.classify(tf.constant(x / np.float32(255)));"
        "c = m.signatures['classify_float'](images=tf.constant(x / np.float32(255)))['logits'];"
        "d = m.signatures['classify'](images=tf.constant(x))['logits'];"
        "e = m.signatures['serving_default'](images=tf.constant(x[:1]))['logits'];"
        "assert 'tfcoded' not in sys.modules;"
        "np.savez('logits.npz', a=a, b=b, c=c, d=d, e=e)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    expected = folded.classify(tf.constant(images)).numpy()
    with np.load(tmp_path / "logits.npz") as logits:
        for name in "abcd":
            np.testing.assert_allclose(logits[name], expected, atol=1e-5)
        np.testing.assert_allclose(logits["e"], expected[:1], atol=1e-5)


def test_training_batches():
    images = np.zeros([10, 8, 8, 1], np.uint8)
    images[:, 3, 5] = 51 * np.arange(1, 6).repeat(2)[:, None]  # one bright pixel tells its image
    labels = np.arange(1, 6).repeat(2)
    batches = classifier_training.training_batches(images, labels, batch_size=4, seed=0, flip=False, shift=1)
    epochs = [list(batches.as_numpy_iterator()) for _ in range(30)]
    assert [len(y) for _, y in epochs[0]] == [4, 4, 2]
    places = set()
    for epoch in epochs:
        x, y = (np.concatenate(part) for part in zip(*epoch))
        assert x.dtype == np.float32 and sorted(y) == sorted(labels)
        np.testing.assert_allclose(x.max(axis=(1, 2, 3)), y / 5, rtol=1e-6)  # images keep their labels
        places |= {tuple(np.argwhere(image)[0][:2]) for image in x}
    # 300 shifts: a given one of the nine is missing with probability (8/9)^300 < 1e-15.
    assert places == {(3 + i, 5 + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert len({b"".join(x.tobytes() for x, _ in epoch) for epoch in epochs}) == 30  # no epoch twice

    again = classifier_training.training_batches(images, labels, batch_size=4, seed=0, flip=False, shift=1)
    np.testing.assert_array_equal(next(again.as_numpy_iterator())[0], epochs[0][0][0])


def test_flipped_training_batches():
    images = np.zeros([100, 8, 8, 1], np.uint8)
    images[:, 4, 1] = 255
    batches = classifier_training.training_batches(images, np.zeros(100), batch_size=100, seed=0, flip=True, shift=0)
    x, _ = next(batches.as_numpy_iterator())
    mirrored = (x[:, :, 4:].max(axis=(1, 2, 3)) > 0).mean()
    assert 0.25 < mirrored < 0.75  # 5 standard deviations of the mean of 100 fair coins, both sides: 6e-7


def test_training_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 256)
    pictures = rng.integers(0, 128, [256, 28, 28, 1])
    pictures[labels == 1, 8:20, 8:20] += 100
    pictures = pictures.astype(np.uint8)
    dataset = Dataset("squares", pictures, labels, pictures, labels)
    classifier = classifier_training.train(dataset, epochs=4, batch_size=32, learning_rate=1e-3, seed=0)
    folded = classifier.folded((28, 28, 1))
    accuracy = np.mean(tf.argmax(folded.classify(tf.constant(pictures)), -1).numpy() == labels)
    assert accuracy > 0.95


def test_an_interrupted_training_goes_on(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, [64, 28, 28, 1]).astype(np.uint8), np.arange(64) % 4
    dataset = Dataset("noise", pictures, labels, pictures, labels)
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "seed": 1}
    whole = classifier_training.train(dataset, **settings).get_weights()
    path = tmp_path / ".training.npz"
    write = Backup.on_epoch_end

    def write_and_end(self, epoch, logs=None):
        write(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Backup, "on_epoch_end", write_and_end)
        with pytest.raises(KeyboardInterrupt):
            classifier_training.train(dataset, **settings, backup=path)
    assert capsys.readouterr().err == f"\ninterrupted: {path} is kept; the same command goes on from there\n"
    before = path.read_bytes()
    with pytest.raises(UserError, match="another training .epochs: 3 there, 4 here; seed: 1 there, 2 here."):
        classifier_training.train(dataset, **(settings | {"epochs": 4, "seed": 2}), backup=path)
    exchanged = Dataset("noise", pictures[::-1], labels, pictures, labels)
    with pytest.raises(UserError, match="another training .images_sha256: [0-9a-f]+ there, [0-9a-f]+ here."):
        classifier_training.train(exchanged, **settings, backup=path)
    with monkeypatch.context() as patched:
        patched.setattr(classifier_training, "FILTERS", (8, 16))
        with pytest.raises(UserError, match="training.npz is damaged .a training of another network.; delete it"):
            classifier_training.train(dataset, **settings, backup=path)
        patched.setattr(np, "load", lambda *arguments, **more: bytearray(1 << 62))
        with pytest.raises(MemoryError):
            classifier_training.train(dataset, **settings, backup=path)
    path.write_bytes(before[:-100])
    with pytest.raises(UserError, match="training.npz is damaged .* delete it"):
        classifier_training.train(dataset, **settings, backup=path)
    path.write_bytes(before)
    resumed = classifier_training.train(dataset, **settings, backup=path).get_weights()
    # Threads may add in another order; other images, dropout or moments differ by the size of a step.
    for there, here in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-4)


@pytest.mark.parametrize(
    "train, test, side, words",
    [
        (None, [0, 1], 8, "mine has no labels of its training images; expected an .npz file"),
        ([0, 1, 2], None, 8, "mine has no labels of its test images"),
        (
            [1, 2, 3],
            [1, 2],
            8,
            "training labels of mine are 1, 2, 3; expected 0, 1, ... up to the number of classes minus",
        ),
        ([0, 0, 0], [0, 0], 8, "training labels of mine are 0; expected"),
        ([-1, 0, 1], [0, 0], 8, "training labels of mine are -1, 0, 1; expected"),
        ([0, 1, 0], [0, 5], 8, "mine has test images of the class 5, of which there is no training image"),
        ([0, 1, 0], [0, 1], 7, "images of mine are smaller than the 8 pixels"),
        ([0, 1, 0], [0, 1], 8, None),
    ],
)
def test_labels_that_no_classifier_can_learn_are_refused(train, test, side, words):
    train, test = (None if labels is None else np.array(labels) for labels in (train, test))
    images = np.zeros([3, side, 9, 1], np.uint8)
    dataset = Dataset("mine", images, train, images[:2], test)
    if words is None:
        classifier_training.require_labels(dataset)
        return
    with pytest.raises(UserError) as caught:
        classifier_training.require_labels(dataset)
    assert words in str(caught.value)


@pytest.mark.parametrize("shape, filters", [((8, 9, 1), 2), ((19, 64, 3), 2), ((20, 20, 3), 3), ((64, 64, 1), 2)])
def test_the_network_fits_the_images(shape, filters):
    images = np.zeros([4, *shape], np.uint8)
    labels = np.arange(4) % 2
    dataset = Dataset("mine", images, labels, images, labels)
    classifier = classifier_training.train(dataset, epochs=1, batch_size=4, learning_rate=1e-3, seed=0)
    assert len(classifier.filters) == filters
    assert classifier.folded(shape).classify(tf.constant(images)).shape == [4, 2]


def test_a_training_that_diverges_is_not_kept(tmp_path):
    pictures, labels = np.full([32, 28, 28, 1], 255, np.uint8), np.arange(32) % 4
    dataset = Dataset("noise", pictures, labels, pictures, labels)
    path = tmp_path / ".training.npz"
    settings = {"batch_size": 16, "learning_rate": 1e38, "seed": 1}
    message = f"is not finite in step 2 of epoch 1; no epoch .* in another --out or without {path}"
    with pytest.raises(UserError, match=message):
        classifier_training.train(dataset, **settings, epochs=2, backup=path)
    assert not path.exists()


@pytest.mark.parametrize(
    "name, target, shape",
    [
        ("classifier_fashion_mnist", 0.91, (28, 28, 1)),
        ("classifier_mnist", 0.99, (28, 28, 1)),
        ("classifier_cifar10", 0.78, (32, 32, 3)),
    ],
)
def test_shipped_classifier(name, target, shape):
    content = json.loads((ZOO / name / "metrics.json").read_text())
    assert target <= content["metrics"]["accuracy"]["value"] < 1
    assert "train_classifier" in content["command"] and content["epochs"] >= 1
    model = tf.saved_model.load(str(ZOO / name / "1"))
    logits = model.classify(tf.zeros([2, *shape]))
    assert logits.shape == (2, 10) and np.all(np.isfinite(logits))
    assert f'tf.saved_model.load("zoo/{name}/1")' in (ZOO / name / "README.md").read_text()


def test_shipped_mnist_classifier_reads_a_drawn_zero_and_a_drawn_one():
    """Golden logits, so that other weights under the same record are noticed without the data set."""
    row, column = np.mgrid[:28, :28] - 13.5
    zero = np.abs(np.hypot(row, column) - 7) < 2
    one = (np.abs(column) < 2) & (np.abs(row) < 10)
    drawn = 255 * np.stack([zero, one]).astype(np.uint8)[..., np.newaxis]
    model = tf.saved_model.load(str(ZOO / "classifier_mnist" / "1"))
    golden = [
        [20.013, -16.594, 2.476, -2.882, -13.561, -1.331, 0.810, -1.366, 4.170, 6.028],
        [-4.651, 12.951, -2.399, -2.117, 3.927, -1.114, -4.737, -1.543, 1.611, -1.087],
    ]
    np.testing.assert_allclose(model.classify(tf.constant(drawn)), golden, atol=2e-3)


def test_shipped_classifier_on_the_embedded_test_images():
    """The number in metrics.json is what the shipped SavedModel reaches on the images in the repository."""
    folder = ZOO.parent / "data" / "fashion_mnist"
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    y = np.frombuffer(labels, np.uint8, offset=8)
    model = tf.saved_model.load(str(ZOO / "classifier_fashion_mnist" / "1"))
    batches = (tf.constant(x[start : start + 1000]) for start in range(0, 10_000, 1000))
    predicted = np.concatenate([tf.argmax(model.classify(batch), axis=-1) for batch in batches])
    content = json.loads((ZOO / "classifier_fashion_mnist" / "metrics.json").read_text())
    stated = content["metrics"]["accuracy"]["value"]
    assert np.mean(predicted == y) == pytest.approx(stated, abs=5e-4)  # other kernels may turn a tie
