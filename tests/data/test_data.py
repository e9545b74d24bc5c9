"""Data: the real Fashion-MNIST through tensorflow-datasets, the user's own images, and the pipelines."""

import errno
import gzip
import pathlib
import shutil
import tarfile
import textwrap
import zipfile
import zlib

import commands
import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from tfcoded import data
from tfcoded.data import prepared, synthetic
from tfcoded.data.sets import celeba
from tfcoded.utils import errors

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_ARCHIVES = _ROOT / "data" / "fashion_mnist"


def _counting_images(count, side=2):
    """Images whose first two pixels number them, uint8 [count, side, side, 1]."""
    images = np.zeros((count, side, side, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.arange(count) // 256, np.arange(count) % 256
    return images


def _numbers(batches):
    pixels = (batch[:, 0, :, 0].astype(int) for batch in batches.as_numpy_iterator())
    return [(pair[:, 0] * 256 + pair[:, 1]).tolist() for pair in pixels]


def _fingerprints(images, labels):
    return sorted((zlib.crc32(image.tobytes()), int(label)) for image, label in zip(images, labels))


# ---- named data sets


def _idx(name, header):
    return np.frombuffer(gzip.decompress((_ARCHIVES / name).read_bytes()), np.uint8, offset=header)


@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
def test_fashion_mnist_is_the_archives_images_with_their_labels(fashion, split, prefix):
    images, labels = getattr(fashion, f"{split}_images"), getattr(fashion, f"{split}_labels")
    count = {"train": 60000, "test": 10000}[split]
    assert images.shape == (count, 28, 28, 1) and images.dtype == np.uint8
    assert labels.shape == (count,) and labels.dtype == np.int64
    # tfds stores the examples in an order of its own: compare as sets of (image, label).
    raw_images = _idx(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(count, -1)
    raw_labels = _idx(f"{prefix}-labels-idx1-ubyte.gz", 8)
    assert _fingerprints(images, labels) == _fingerprints(raw_images, raw_labels)


def test_fashion_mnist_comes_in_the_order_of_tfds(fashion):
    assert fashion.image_shape == (28, 28, 1)
    np.testing.assert_array_equal(fashion.train_labels[:10], [2, 1, 8, 4, 1, 9, 2, 2, 0, 2])
    np.testing.assert_array_equal(fashion.test_labels[:10], [4, 4, 9, 7, 5, 1, 0, 5, 7, 4])
    assert zlib.crc32(fashion.train_images[0].tobytes()) == 1622878537
    assert fashion.train_images.sum(dtype=np.int64) == 3431114169
    assert fashion.test_images.sum(dtype=np.int64) == 573469082


def test_reading_equals_tfds_own_reading(fashion, fashion_dir):
    builder = tfds.builder("fashion_mnist", data_dir=fashion_dir)
    for index, example in enumerate(builder.as_dataset(split="test").take(50).as_numpy_iterator()):
        np.testing.assert_array_equal(example["image"], fashion.test_images[index])
        assert example["label"] == fashion.test_labels[index]


def test_loading_prepared_data_is_silent_and_leaves_no_unpacked_files(fashion_dir, capfd):
    data.load("fashion_mnist", fashion_dir)
    out, err = capfd.readouterr()
    assert out == "" and "fashion" not in err and "Generating" not in err
    assert list((fashion_dir / "downloads").glob("unpacked_*")) == []


def _small_fashion_mnist(monkeypatch, examples=200):
    """Lets tfds store only so many examples, with everything before that (checksums, unpacking) as it is."""
    real = tfds.download.DownloadConfig

    def limited(**kwargs):
        return real(max_examples_per_split=examples, **kwargs)

    monkeypatch.setattr(tfds.download, "DownloadConfig", limited)


def _without_embedded_archives(monkeypatch, tmp_path):
    monkeypatch.setattr(prepared, "_EMBEDDED", None)


@pytest.mark.parametrize("place", ["downloads/manual/fashion_mnist", "fashion_mnist"])
def test_archives_beside_the_prepared_data_are_used(monkeypatch, tmp_path, capfd, place):
    _small_fashion_mnist(monkeypatch)
    _without_embedded_archives(monkeypatch, tmp_path)
    shutil.copytree(_ARCHIVES, tmp_path / place)
    dataset = data.load("fashion_mnist", tmp_path)
    assert dataset.train_images.shape == (200, 28, 28, 1)
    out, err = capfd.readouterr()
    assert out == "" and "this happens once and takes about half a minute" in err and "prepared in" in err


def test_preparing_again_after_an_interruption(monkeypatch, tmp_path):
    _small_fashion_mnist(monkeypatch)
    left_over = tmp_path / "fashion_mnist" / "incomplete.ABCDEF_3.0.1"
    left_over.mkdir(parents=True)
    (left_over / "fashion_mnist-train.tfrecord-00000-of-00001").write_bytes(b"half a record")
    (tmp_path / "downloads" / "unpacked_killed").mkdir(parents=True)
    assert len(data.load("fashion_mnist", tmp_path).test_images) == 200


def test_another_data_set_of_the_same_archive_names_is_not_taken_from_unpacked_files(monkeypatch, tmp_path):
    """tfds names unpacked files after the archive alone; MNIST's archives are called like Fashion-MNIST's."""
    _small_fashion_mnist(monkeypatch)
    stale = tmp_path / "downloads" / "extracted"
    stale.mkdir(parents=True)
    for name, header, count, size in (("images-idx3", 16, 60000, 784), ("labels-idx1", 8, 60000, 1)):
        (stale / f"GZIP.train-{name}-ubyte.gz").write_bytes(bytes(header + count * size))
    assert data.load("fashion_mnist", tmp_path).train_images.any()


def test_two_workers_may_prepare_at_once(monkeypatch, tmp_path):
    """The one that comes second finds the folder there and uses it."""
    _small_fashion_mnist(monkeypatch)
    builder_class = type(tfds.builder("fashion_mnist", data_dir=tmp_path))
    real = builder_class.download_and_prepare

    def overtaken(self, **kwargs):
        real(tfds.builder("fashion_mnist", data_dir=tmp_path), **kwargs)
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr(builder_class, "download_and_prepare", overtaken)
    assert len(data.load("fashion_mnist", tmp_path).train_images) == 200


def _load_error(name, data_dir=None):
    with pytest.raises(data.DataError) as caught:
        data.load(name, data_dir)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_damaged_archive_is_named(monkeypatch, tmp_path):
    archives = tmp_path / "archives" / "fashion_mnist"
    shutil.copytree(_ARCHIVES, archives)
    damaged = archives / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    monkeypatch.setattr(prepared, "_EMBEDDED", archives.parent)
    message = _load_error("fashion_mnist", tmp_path / "tfds")
    assert str(damaged) in message and "29415 bytes" in message and "replace it" in message
    assert "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845" in message
    shutil.copy(_ARCHIVES / damaged.name, damaged)  # mended, the same folder works
    _small_fashion_mnist(monkeypatch)
    assert len(data.load("fashion_mnist", tmp_path / "tfds").train_images) == 200


def _no_network(*args, **kwargs):
    raise requests.exceptions.ConnectionError("no network")


def test_without_network_and_archives_the_message_says_where_to_put_them(monkeypatch, tmp_path):
    monkeypatch.setattr(requests.Session, "get", _no_network)
    message = _load_error("mnist", tmp_path)
    assert "download failed" in message and "t10k-labels-idx1-ubyte.gz" in message
    assert str(tmp_path / "downloads" / "manual" / "mnist") in message and "storage.googleapis.com" in message


def test_without_network_only_the_missing_archive_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(requests.Session, "get", _no_network)
    _without_embedded_archives(monkeypatch, tmp_path)
    place = tmp_path / "downloads" / "manual" / "fashion_mnist"
    shutil.copytree(_ARCHIVES, place)
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    message = _load_error("fashion_mnist", tmp_path)
    assert f"t10k-labels-idx1-ubyte.gz into {place};" in message and "train-" not in message


def test_an_unusable_data_dir(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    message = _load_error("fashion_mnist", tmp_path / "file" / "below")
    assert str(tmp_path / "file" / "below") in message and "writable" in message


def test_a_full_disk(monkeypatch, tmp_path):
    def full(self, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(tfds.builder("fashion_mnist", data_dir=tmp_path)), "download_and_prepare", full)
    assert "No space left on device" in _load_error("fashion_mnist", tmp_path)


def test_damaged_prepared_data(fashion_dir, tmp_path):
    shutil.copytree(fashion_dir / "fashion_mnist", tmp_path / "fashion_mnist")
    folder = tmp_path / "fashion_mnist" / "3.0.1"
    records = folder / "fashion_mnist-train.tfrecord-00000-of-00001"
    whole = records.read_bytes()
    records.write_bytes(whole[: len(whole) // 2])
    message = _load_error("fashion_mnist", tmp_path)
    assert str(folder) in message and "delete that folder" in message
    for content in (b"", b"\xff", b"{}"):
        (folder / "dataset_info.json").write_bytes(content)
        message = _load_error("fashion_mnist", tmp_path)
        assert f"{folder} is damaged (its description cannot be read); delete that folder" in message
    (folder / "dataset_info.json").unlink()
    message = _load_error("fashion_mnist", tmp_path)
    assert str(folder) in message and "delete that folder" in message


def test_unknown_name(tmp_path):
    message = _load_error("fashion-mnist")
    assert "did you mean 'fashion_mnist'?" in message and "tiny_imagenet" in message
    assert "did you mean" not in _load_error(str(tmp_path / "nothing"))
    assert issubclass(data.DataError, errors.UserError)


# ---- Tiny ImageNet in small


def _jpeg(image):
    return tf.io.encode_jpeg(image, quality=95).numpy()


def _write_tiny(folder, classes=3, train=4, test=5, side=64):
    """A `tiny-imagenet-200` of the real layout; the first training image of each class is grey."""
    rng = np.random.default_rng(0)
    names = [f"n{number:08d}" for number in range(classes, 0, -1)]  # not in alphabetical order
    for number, name in enumerate(names):
        (folder / "train" / name / "images").mkdir(parents=True)
        (folder / "train" / name / f"{name}_boxes.txt").write_text("")
        for index in range(train):
            image = np.full((side, side, 3 if index else 1), 40 * number + index, np.uint8)
            (folder / "train" / name / "images" / f"{name}_{index}.JPEG").write_bytes(_jpeg(image))
    rows = []
    (folder / "val" / "images").mkdir(parents=True)
    for index in range(test):
        image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        (folder / "val" / "images" / f"val_{index}.JPEG").write_bytes(_jpeg(image))
        rows.append(f"val_{index}.JPEG\t{names[index % classes]}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(rows))
    (folder / "test" / "images").mkdir(parents=True)
    (folder / "test" / "images" / "test_0.JPEG").write_bytes(_jpeg(np.zeros((side, side, 3), np.uint8)))
    (folder / "wnids.txt").write_text("\n".join(names) + "\n")


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "tiny-imagenet-200"
    _write_tiny(folder)
    return folder


@pytest.mark.parametrize(
    "kind, place",
    [
        ("folder", "downloads/manual/tiny_imagenet"),
        ("zip", "tiny_imagenet"),
        ("tar.gz", "downloads/manual/tiny_imagenet"),
    ],
)
def test_tiny_imagenet(tiny_folder, tmp_path, kind, place):
    place = tmp_path / place
    place.mkdir(parents=True)
    if kind == "folder":
        shutil.copytree(tiny_folder, place / "tiny-imagenet-200")
    elif kind == "zip":
        shutil.make_archive(place / "tiny-imagenet-200", "zip", tiny_folder.parent, tiny_folder.name)
    else:
        with tarfile.open(place / "tiny-imagenet-200.tar.gz", "w:gz") as archive:
            archive.add(tiny_folder, "./tiny-imagenet-200")
    dataset = data.load("tiny_imagenet", tmp_path)
    assert dataset.train_images.shape == (12, 64, 64, 3) and dataset.test_images.shape == (5, 64, 64, 3)
    # Class n (alphabetical) was written as number 2 - n, with images of the grey level 40 (2 - n) + index.
    levels = dataset.train_images[:, 32, 32, :].astype(int)
    expected = sorted((label, 40 * (2 - label) + index) for label in range(3) for index in range(4))
    for channel in range(3):  # JPEG may be one off in a channel
        found = sorted(zip(dataset.train_labels.tolist(), levels[:, channel].tolist()))
        assert [label for label, _ in found] == [label for label, _ in expected]
        assert max(abs(a[1] - b[1]) for a, b in zip(found, expected)) <= 1
    image = tf.io.decode_jpeg((tiny_folder / "val" / "images" / "val_2.JPEG").read_bytes()).numpy()
    np.testing.assert_array_equal(dataset.test_images[dataset.test_labels == 0], image[np.newaxis])
    assert sorted(dataset.test_labels) == [0, 1, 1, 2, 2]


def test_tiny_imagenet_absent(tmp_path):
    message = _load_error("tiny_imagenet", tmp_path)
    assert "tiny-imagenet-200.zip" in message
    assert str(tmp_path / "downloads" / "manual" / "tiny_imagenet") in message


@pytest.mark.parametrize(
    "fault, words",
    [
        ("missing class", "n00000002"),
        ("missing image", "val_1.JPEG"),
        ("no annotations", "val_annotations.txt"),
        ("unreadable", "n00000003_1.JPEG is not a readable JPEG"),
        ("size", "n00000003_1.JPEG is 32x64, expected 64x64"),
        ("zip", "could not be prepared"),
    ],
)
def test_faulty_tiny_imagenet(tiny_folder, tmp_path, fault, words):
    place = tmp_path / "tiny_imagenet"
    folder = place / "tiny-imagenet-200"
    shutil.copytree(tiny_folder, folder)
    if fault == "missing class":
        shutil.rmtree(folder / "train" / "n00000002")
    elif fault == "missing image":
        (folder / "val" / "images" / "val_1.JPEG").unlink()
    elif fault == "no annotations":
        (folder / "val" / "val_annotations.txt").unlink()
    elif fault == "unreadable":
        (folder / "train" / "n00000003" / "images" / "n00000003_1.JPEG").write_bytes(b"\xff\xd8\xff nonsense")
    elif fault == "size":
        jpeg = _jpeg(np.zeros((32, 64, 3), np.uint8))
        (folder / "train" / "n00000003" / "images" / "n00000003_1.JPEG").write_bytes(jpeg)
    else:
        shutil.rmtree(folder)
        (place / "tiny-imagenet-200.zip").write_bytes(b"PK\x03\x04 cut off")
    assert words in _load_error("tiny_imagenet", tmp_path)
    assert not (place / "1.0.0").exists()


# ---- CelebA in small


class _SmallCelebA(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # there is one of this name
    """What tensorflow-datasets makes of CelebA, of a few drawn images and less beside them."""

    VERSION = tfds.core.Version("2.1.0")
    name = "celeb_a"
    url_infos = {}

    def _info(self):
        image = tfds.features.Image(shape=(218, 178, 3), encoding_format="jpeg")
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"image": image, "identity": {"Number": np.int64}})
        )

    def _split_generators(self, dl_manager):
        counts = {"train": 5, "validation": 2, "test": 3}
        return {name: self._generate_examples(count) for name, count in counts.items()}

    def _generate_examples(self, count):
        for index in range(count):
            yield index, {"image": _face(40 * count + 3 * index), "identity": {"Number": index}}


def _face(level):
    """A grey picture in a white frame that a crop of 148 cuts off."""
    image = np.full((218, 178, 3), 255, np.uint8)
    image[34:184, 14:164] = level
    return image


@pytest.fixture(name="small_celeba")
def _small_celeba(monkeypatch):
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: {"celeb_a": _SmallCelebA}[name](data_dir=data_dir))


def test_celeba(small_celeba, tmp_path, capfd):
    dataset = data.load("celeba", tmp_path)
    assert "takes several minutes" in capfd.readouterr().err
    assert dataset.name == "celeba" and dataset.image_shape == (32, 32, 3)
    assert dataset.train_labels is None and dataset.test_labels is None
    for images, level in ((dataset.train_images, 200), (dataset.test_images, 120)):
        assert np.ptp(images, axis=(1, 2, 3)).max() < 10  # no frame; JPEG leaves traces of it
        levels = np.sort(np.median(images, axis=(1, 2, 3)))
        np.testing.assert_allclose(levels, level + 3 * np.arange(len(images)), atol=1)
    whole = data.load("celeba_nocrop", tmp_path).train_images
    assert np.all(whole[:, 0] > 250) and np.all(whole[:, 16, 16] < 220)
    assert data.load("celeba140", tmp_path).train_images.max() < 220


@pytest.mark.parametrize("name, top, left, side", [("celeba", 35, 15, 148), ("celeba140", 39, 19, 140)])
def test_the_square_in_the_centre_is_kept_and_averaged(name, top, left, side):
    """Against Pillow, whose filter is the same; beyond the square, nothing matters."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (218, 178, 3), dtype=np.uint8)
    found = celeba.small(tf.constant(image), celeba.CROPS[name]).numpy()
    square = Image.fromarray(image[top : top + side, left : left + side])
    expected = np.asarray(square.resize((32, 32), Image.Resampling.BILINEAR))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert found.std() < 0.5 * image.std()  # without averaging the noise would stay
    other = rng.integers(0, 256, image.shape, dtype=np.uint8)
    other[top : top + side, left : left + side] = image[top : top + side, left : left + side]
    np.testing.assert_array_equal(celeba.small(tf.constant(other), celeba.CROPS[name]), found)


def test_faces_that_are_not_cropped_are_squeezed():
    image = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    found = celeba.small(tf.constant(image), celeba.CROPS["celeba_nocrop"]).numpy()
    expected = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR))
    assert found.dtype == np.uint8 and np.abs(found.astype(int) - expected).max() <= 1


def test_celeba_without_network_and_archives(monkeypatch, tmp_path):
    monkeypatch.setattr(requests.Session, "get", _no_network)
    message = _load_error("celeba", tmp_path)
    assert "download failed" in message and "img_align_celeba.zip" in message
    assert str(tmp_path / "downloads" / "manual" / "celeb_a") in message
    assert message.endswith("--override dataset=cifar10, or dataset=synthetic")


# ---- what is drawn


def test_synthetic_images_have_the_law_they_should():
    dataset = data.load("synthetic")
    assert dataset.train_images.shape == (2000, 32, 32, 3) and dataset.test_images.shape == (500, 32, 32, 3)
    assert dataset.train_labels is None
    np.testing.assert_array_equal(dataset.test_images, data.load("synthetic").test_images)
    x = synthetic.signals(2000, 1)
    np.testing.assert_array_equal(dataset.train_images, np.rint(255 * np.clip(x, 0, 1)))
    u = synthetic.basis()
    np.testing.assert_allclose(u.T @ u, np.eye(32), atol=1e-12)
    centred = x.reshape(2000, -1).astype(np.float64) - 0.5
    np.testing.assert_allclose(centred @ u @ u.T, centred, atol=1e-5)  # nothing outside the 32 directions
    powers = np.mean((centred @ u) ** 2, axis=0) / synthetic.EIGENVALUES
    # The mean of 2,000 squares has a standard error of sqrt(2 / 2000); 5 of them fail once in 50,000 runs.
    assert np.abs(powers - 1).max() < 5 * np.sqrt(2 / 2000)
    np.testing.assert_allclose(synthetic.EIGENVALUES[[0, 1, 31]], [20, 16, 20 * 0.8**31])
    fresh = synthetic.signals(500, 2).reshape(500, -1) - 0.5
    assert np.abs(fresh @ u).max() > 1 and not np.array_equal(fresh, centred[:500])


def test_draws_that_carry_nothing():
    dataset = data.load("normal")
    assert dataset.train_images.shape == (50000, 0) and dataset.test_images.shape == (10000, 0)
    assert dataset.image_shape == (0,) and dataset.train_labels is None
    batches = data.training_pipeline(dataset.train_images, 20000, seed=1, epochs=2)
    assert [tuple(batch.shape) for batch in batches] == [(20000, 0), (20000, 0), (10000, 0)] * 2
    assert len(batches) == 6 and batches.element_spec.dtype == tf.uint8
    assert [tuple(batch.shape) for batch in data.test_pipeline(dataset.test_images, 6000)] == [(6000, 0), (4000, 0)]


def test_draws_are_no_images_and_images_no_draws():
    normal, images = data.load("normal"), data.load("synthetic")
    normal.require_shape((0,))
    images.require_shape([32, 32, 3])
    for dataset, shape, words in (
        (normal, (32, 32, 3), "normal has no images"),
        (images, (0,), "expected the data set 'normal'"),
        (images, (64, 64, 3), "32x32x3, but the model is made for 64x64x3"),
    ):
        with pytest.raises(data.DataError, match=words):
            dataset.require_shape(shape)


def test_names():
    assert set(celeba.CROPS) == {name for name in data.DATASETS if name.startswith("celeba")}
    assert {"synthetic", "normal"} == {name for name, each in data.DATASETS.items() if each.drawn}
    assert set(data.DATASETS) == {*celeba.CROPS, *"synthetic normal mnist fashion_mnist cifar10 tiny_imagenet".split()}
    assert all(each.licence for name, each in data.DATASETS.items() if name != "normal")


def test_a_data_set_from_elsewhere(monkeypatch):
    monkeypatch.setattr(data.DATASETS, "_items", dict(data.DATASETS))
    images = _counting_images(25)
    given = {"train": images[:20], "test": images[20:], "train_labels": np.arange(20), "test_labels": [[1]] * 5}
    found = []
    data.register("mine", lambda data_dir: found.append(data_dir) or given, images.shape[1:])
    dataset = data.load("mine", "somewhere")
    assert dataset.name == "mine" and found == ["somewhere"] and dataset.test_labels.tolist() == [1] * 5
    np.testing.assert_array_equal(dataset.train_images, images[:20])
    data.register("one_array", lambda data_dir: images / 255, images.shape[1:])
    assert len(data.load("one_array").test_images) == 2
    data.register("other", lambda data_dir: images, (9, 9, 1))
    with pytest.raises(data.DataError, match=r"other was registered .* shape \[9, 9, 1\], but its function"):
        data.load("other")
    data.register("wrong", lambda data_dir: {"pictures": images, "more": images}, images.shape[1:])
    with pytest.raises(data.DataError, match="wrong holds the arrays more, pictures; expected 'train' and 'test'"):
        data.load("wrong")
    with pytest.raises(ValueError, match="there is another data set 'mnist'"):
        data.register("mnist", lambda data_dir: images, (28, 28, 1))
    with pytest.raises(data.DataError, match="unknown data set 'minne'.*did you mean 'mine'.*--plugin"):
        data.load("minne")


# ---- the user's own images


def test_npy_holds_out_every_tenth(tmp_path):
    images = _counting_images(25)
    np.save(tmp_path / "mine.npy", images)
    dataset = data.load(tmp_path / "mine.npy")
    assert dataset.name == "mine" and dataset.train_labels is None and dataset.test_labels is None
    np.testing.assert_array_equal(dataset.test_images, images[[9, 19]])
    np.testing.assert_array_equal(dataset.train_images, np.delete(images, [9, 19], axis=0))
    np.save(tmp_path / "few.npy", images[:3])
    np.testing.assert_array_equal(data.load(tmp_path / "few.npy").test_images, images[2:3])


@pytest.mark.parametrize(
    "keys, label_keys",
    [
        (("train", "test"), ("train_labels", "test_labels")),
        (("train_images", "test_images"), ("train_labels", "test_labels")),
        (("x_train", "x_test"), ("y_train", "y_test")),  # as Keras has them
        (("train_images", "val_images"), ("train_labels", "val_labels")),
    ],
)
def test_npz(tmp_path, capsys, keys, label_keys):
    images = _counting_images(12)
    labels = np.arange(12, dtype=np.uint8)
    arrays = {keys[0]: images[:8], keys[1]: images[8:], label_keys[0]: labels[:8]}
    np.savez(tmp_path / "mine.npz", **arrays, **{label_keys[1]: labels[8:, np.newaxis]})  # as of Keras' CIFAR-10
    dataset = data.load(str(tmp_path / "mine.npz"))
    np.testing.assert_array_equal(dataset.train_images, images[:8])
    np.testing.assert_array_equal(dataset.test_images, images[8:])
    np.testing.assert_array_equal(dataset.train_labels, labels[:8])
    np.testing.assert_array_equal(dataset.test_labels, labels[8:])
    assert dataset.train_labels.dtype == np.int64
    assert capsys.readouterr().err == ""


def test_what_an_npz_holds_beside_the_parts_is_told(tmp_path, capsys):
    images = _counting_images(12)
    parts = {"x_train": images[:8], "x_val": images[8:10], "x_test": images[10:], "y_trian": np.arange(8)}
    np.savez(tmp_path / "mine.npz", **parts)
    dataset = data.load(tmp_path / "mine.npz")
    np.testing.assert_array_equal(dataset.test_images, images[10:])
    assert dataset.train_labels is None
    assert capsys.readouterr().err == f"{tmp_path / 'mine.npz'}: not used: x_val, y_trian\n"


def test_labels_are_held_out_with_their_images(tmp_path):
    images = _counting_images(25)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=np.arange(25))
    dataset = data.load(tmp_path / "mine.npz")
    np.testing.assert_array_equal(dataset.test_images, images[[9, 19]])
    np.testing.assert_array_equal(dataset.test_labels, [9, 19])
    np.testing.assert_array_equal(dataset.train_labels, np.delete(np.arange(25), [9, 19]))
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=np.arange(24))
    assert "24 labels of 25 images" in _load_error(tmp_path / "mine.npz")


def test_arrays_without_channel_axis_and_in_floating_point(tmp_path):
    images = _counting_images(20, side=4)
    np.savez(tmp_path / "one.npz", anything=images[..., 0].astype(np.float32) / 255)
    dataset = data.load(tmp_path / "one.npz")
    np.testing.assert_array_equal(dataset.test_images, images[[9, 19]])


def test_folder_of_images(tmp_path):
    rng = np.random.default_rng(1)
    colours = rng.integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)
    for index, image in enumerate(colours):
        folder = tmp_path / "mine" / "train" / ("a" if index < 4 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index:02d}.png").write_bytes(tf.io.encode_png(image).numpy())
    (tmp_path / "mine" / "train" / "notes.txt").write_text("ignored")
    (tmp_path / "mine" / "test").mkdir()
    (tmp_path / "mine" / "test" / "grey.PNG").write_bytes(tf.io.encode_png(colours[0, :, :, :1]).numpy())
    dataset = data.load(tmp_path / "mine")
    np.testing.assert_array_equal(dataset.train_images, colours)
    np.testing.assert_array_equal(dataset.test_images[0], np.repeat(colours[0, :, :, :1], 3, axis=-1))
    only_train = data.load(tmp_path / "mine" / "train")
    np.testing.assert_array_equal(only_train.test_images, colours[[9]])


def test_folder_of_grey_images_stays_grey(tmp_path):
    images = _counting_images(3, side=8)
    for index, image in enumerate(images):
        (tmp_path / f"{index}.png").write_bytes(tf.io.encode_png(image).numpy())
    dataset = data.load(tmp_path)
    np.testing.assert_array_equal(dataset.train_images, images[:2])


def _write_pictures(folder, names):
    """A grey 4x4 picture under each name, whose pixels are its number."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(_png(np.full((4, 4, 1), number, np.uint8)))


def _png(image):
    return tf.io.encode_png(image).numpy()


def _levels(images):
    assert np.ptp(images, axis=(1, 2, 3)).max() == 0
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    "names, train, test, said",
    [
        (["train/0.png", "train/1.png", "val/2.png"], [0, 1], [2], ""),
        (["Training/a/0.png", "Training/b/1.png", "validation/2.png"], [0, 1], [2], ""),
        (["train/0.png", "test/1.png", "valid/2.png", "valid/3.png"], [0], [1], "the 2 images in valid are not used"),
        (["train/0.png", "train/1.png", "train/2.png"], [0, 1], [2], ""),
        (["cats/0.png", "dogs/1.png", "2.png"], [2, 0], [1], ""),  # no parts: in the order of the paths
    ],
)
def test_folders_of_parts(tmp_path, capsys, names, train, test, said):
    _write_pictures(tmp_path / "mine", names)
    dataset = data.load(tmp_path / "mine")
    assert (dataset.name, _levels(dataset.train_images), _levels(dataset.test_images)) == ("mine", train, test)
    err = capsys.readouterr().err
    assert said in err and bool(said) == bool(err)


@pytest.mark.parametrize(
    "names, words",
    [
        (["train/0.png", "val/1.png", "extra/2.png"], "other images beside them (1 in extra)"),
        (["train/0.png", "test/1.png", "2.png"], "other images beside them (1 in no folder)"),
        (["train/0.png", "training/1.png", "test/2.png"], "folders train and training, both for the part 'train'"),
        (["val/0.png", "test/1.png"], "has the part test, val but no part train"),
        (["train/0.png", "test/notes.txt"], "test holds no images"),
    ],
)
def test_folders_that_are_no_parts_are_refused(tmp_path, names, words):
    _write_pictures(tmp_path, names)
    assert words in _load_error(tmp_path)


def test_hidden_files_and_other_kinds_are_skipped_and_counted(tmp_path, capsys):
    _write_pictures(tmp_path / "mine", [f"{number}.png" for number in range(4)])
    for name in ("._0.png", ".thumbnails/0.png", "__MACOSX/._1.png", "4.webp", "5.WEBP", "notes.txt", "LICENSE"):
        (tmp_path / "mine" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(b"no picture")
    assert _levels(data.load(tmp_path / "mine").train_images) == [0, 1, 2]
    expected = "4 images; skipped 7 other files: 1 .txt, 2 .webp, 3 hidden, 1 without an ending"
    assert capsys.readouterr().err == f"{tmp_path / 'mine'}: {expected}\n"
    _write_pictures(tmp_path / "others", ["a.gif", "b.gif"])
    assert "there are only other files: 2 .gif" in _load_error(tmp_path / "others")


def test_links_to_folders_are_followed_once(tmp_path):
    _write_pictures(tmp_path / "elsewhere", ["0.png", "1.png"])
    _write_pictures(tmp_path / "mine" / "a", ["2.png"])
    (tmp_path / "mine" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "mine" / "a" / "around").symlink_to(tmp_path / "mine")
    dataset = data.load(tmp_path / "mine")
    assert len(dataset.train_images) + len(dataset.test_images) == 3
    (tmp_path / "mine" / "c.png").symlink_to(tmp_path / "gone.png")
    assert "c.png" in _load_error(tmp_path / "mine")


def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch):
    _write_pictures(tmp_path, ["0.png", "1.png"])
    monkeypatch.chdir(tmp_path)
    assert "name of the data set is empty" in _load_error("")
    assert len(data.load(".").train_images) == 1


@pytest.mark.parametrize("count", [-5, 0, True, 2.0])
def test_first_images_refuses_what_is_no_count(count):
    with pytest.raises(data.DataError, match="train_images must be a positive integer"):
        data.first_images(data.load("normal"), count)


def test_faulty_user_images(tmp_path):
    def npy(array):
        np.save(tmp_path / "bad.npy", array, allow_pickle=True)
        message = _load_error(tmp_path / "bad.npy")
        assert "bad" in message
        return message

    assert "outside [0, 1]" in npy(np.full((4, 8, 8, 1), 255.0))
    assert "outside [0, 1]" in npy(np.full((4, 8, 8, 1), np.nan))
    assert "int64" in npy(np.zeros((4, 8, 8, 1), np.int64))
    assert "[3, 8, 8, 2]" in npy(np.zeros((4, 8, 8, 2), np.uint8))
    assert "at least 2" in npy(np.zeros((1, 8, 8, 1), np.uint8))
    assert "not a readable numpy file" in npy(np.array([{}, {}], dtype=object))
    assert "a single number" in npy(np.array(0.5))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut off")
    assert "cut.npz is not a readable" in _load_error(tmp_path / "cut.npz")
    for path, bit in ((tmp_path / "deflated.npz", 7), (tmp_path / "method.npz", 1)):
        np.savez_compressed(path, train=_counting_images(20))
        content = bytearray(path.read_bytes())
        place = content.index(b"PK\x01\x02") + 10 if path.stem == "method" else 80  # of the method, of the numbers
        content[place] ^= bit
        path.write_bytes(content)
        assert f"{path.name} is not a readable numpy file" in _load_error(path)
    np.save(tmp_path / "header.npy", _counting_images(20))
    content = (tmp_path / "header.npy").read_bytes()
    (tmp_path / "header.npy").write_bytes(content.replace(b")", b"(", 1))
    assert "header.npy is not a readable numpy file" in _load_error(tmp_path / "header.npy")
    with zipfile.ZipFile(tmp_path / "pictures.npz", "w") as archive:
        archive.writestr("a.png", b"a picture")
    assert "a.png is no array" in _load_error(tmp_path / "pictures.npz")
    np.savez(tmp_path / "keys.npz", a=np.zeros((2, 8, 8), np.uint8), b=np.zeros(2))
    assert "holds the arrays a, b" in _load_error(tmp_path / "keys.npz")
    np.savez(tmp_path / "sizes.npz", train=np.zeros((2, 8, 8), np.uint8), test=np.zeros((2, 9, 8), np.uint8))
    assert "8x8x1" in _load_error(tmp_path / "sizes.npz") and "9x8x1" in _load_error(tmp_path / "sizes.npz")
    images = np.zeros((2, 8, 8), np.uint8)
    np.savez(tmp_path / "labels.npz", train=images, test=images, train_labels=np.zeros(3, np.int64))
    assert "training labels" in _load_error(tmp_path / "labels.npz")
    (tmp_path / "notes.txt").write_text("")
    assert "neither a .npy" in _load_error(tmp_path / "notes.txt")


def test_faulty_folders(tmp_path):
    assert "holds no images" in _load_error(tmp_path)
    (tmp_path / "a.png").write_bytes(tf.io.encode_png(np.zeros((4, 5, 1), np.uint8)).numpy())
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert f"{tmp_path / 'b.png'} is not a readable image" in _load_error(tmp_path)
    (tmp_path / "b.png").write_bytes(tf.io.encode_png(np.zeros((5, 4, 1), np.uint8)).numpy())
    assert f"{tmp_path / 'b.png'} is 5x4" in _load_error(tmp_path)
    (tmp_path / "b.png").write_bytes(tf.io.encode_png(np.zeros((4, 5, 4), np.uint8)).numpy())
    assert f"{tmp_path / 'b.png'} has 4 channels" in _load_error(tmp_path)


# ---- pipelines


def test_each_epoch_is_a_permutation_of_its_own():
    images = _counting_images(300)
    batches = _numbers(data.training_pipeline(images, 128, seed=5, epochs=3))
    assert [len(batch) for batch in batches] == [128, 128, 44] * 3
    epochs = [sum(batches[3 * epoch : 3 * epoch + 3], []) for epoch in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(300))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0] and list(range(300)) not in epochs


def test_the_order_depends_on_the_seed_alone():
    images = _counting_images(50)
    first = _numbers(data.training_pipeline(images, 10, seed=5, epochs=2))
    assert first == _numbers(data.training_pipeline(images.copy(), 10, seed=5, epochs=2))
    assert first != _numbers(data.training_pipeline(images, 10, seed=6, epochs=2))
    pair = _numbers(data.training_pipeline(tf.constant(images), 10, seed=tf.constant([5, 1]), epochs=2))
    assert pair != first and pair == _numbers(data.training_pipeline(images, 10, seed=(5, 1), epochs=2))


def test_the_order_stays_the_same_in_later_versions():
    """A run must resume with its own order after an upgrade too; these numbers are from TensorFlow 2.21."""
    assert _numbers(data.training_pipeline(_counting_images(8), 8, seed=1, epochs=2)) == [
        [3, 7, 6, 5, 0, 1, 2, 4],
        [7, 0, 3, 6, 2, 4, 1, 5],
    ]


def test_shuffling_has_no_preferred_place():
    """Each of 20 images on each of 20 places about 2000/20 = 100 times.

    Pearson's statistic over the 400 cells has (20-1)^2 = 361 degrees of freedom: mean 361, deviation
    sqrt(2 * 361) = 27. The bounds are 5 deviations away on both sides: false failure about 1e-6.
    """
    numbers = np.concatenate(_numbers(data.training_pipeline(_counting_images(20), 20, seed=3, epochs=2000)))
    counts = np.zeros((20, 20))
    np.add.at(counts, (np.tile(np.arange(20), 2000), numbers), 1)
    statistic = np.sum((counts - 100) ** 2 / 100)
    assert 361 - 5 * 27 < statistic < 361 + 5 * 27


def test_resuming_continues_the_same_order():
    images = _counting_images(70)
    whole = _numbers(data.training_pipeline(images, 32, seed=9, epochs=4))
    steps = data.steps_per_epoch(70, 32)
    for first in range(5):
        rest = _numbers(data.training_pipeline(images, 32, seed=9, first_epoch=first, epochs=4 - first))
        assert rest == whole[first * steps :]


def test_element_kind_and_length():
    images = np.zeros((10, 4, 5, 3), np.uint8)
    for batches in (data.training_pipeline(images, 4, seed=0, epochs=2), data.test_pipeline(images, 4)):
        assert batches.element_spec.dtype == tf.uint8
        assert batches.element_spec.shape.as_list() == [None, 4, 5, 3]
    assert data.training_pipeline(images, 4, seed=0, epochs=2).cardinality() == 6
    assert data.training_pipeline(images, 4, seed=0, epochs=0).cardinality() == 0
    assert data.test_pipeline(images, 4).cardinality() == 3
    assert [data.steps_per_epoch(count, 4) for count in (1, 4, 5, 8)] == [1, 1, 2, 2]


def test_test_pipeline_keeps_order_and_remainder():
    images = _counting_images(10)
    assert _numbers(data.test_pipeline(images, 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_images_are_whole_in_a_batch(fashion):
    """The pixels themselves, not only the first ones."""
    images = fashion.test_images[:100]
    batch = next(data.training_pipeline(images, 100, seed=1).as_numpy_iterator())
    assert sorted(zlib.crc32(i.tobytes()) for i in batch) == sorted(zlib.crc32(i.tobytes()) for i in images)


def test_pipelines_refuse_bad_input():
    good = _counting_images(4)
    two_channels = np.zeros((4, 2, 2, 2), np.uint8)
    for bad in (good.astype(np.float32) / 255, good[..., 0], good[:0], two_channels, [1, 2]):
        with pytest.raises(data.DataError, match="must be uint8 of shape"):
            data.training_pipeline(bad, 2, seed=0)
        with pytest.raises(data.DataError, match="must be uint8 of shape"):
            data.test_pipeline(bad, 2)
    for batch_size in (0, -1, 2.0, True):
        with pytest.raises(data.DataError, match="batch_size must be a positive integer"):
            data.training_pipeline(good, batch_size, seed=0)
    with pytest.raises(data.DataError, match="first_epoch"):
        data.training_pipeline(good, 2, seed=0, first_epoch=-1)
    for seed in (0.5, [1, 2, 3]):
        with pytest.raises(data.DataError, match="seed"):
            data.training_pipeline(good, 2, seed=seed)


_CPUS = """
import numpy as np
import tensorflow as tf
from tfcoded import data

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * {replicas})
strategy = tf.distribute.MirroredStrategy([f"CPU:{{i}}" for i in range({replicas})])
"""


def _run_on_cpus(replicas, script):
    # A process of its own: logical devices must come first.
    script = _CPUS.format(replicas=replicas) + textwrap.dedent(script)
    done = commands.run_code(script)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_replicas_share_each_batch():
    _run_on_cpus(
        2,
        """
        images = np.arange(21, dtype=np.uint8).reshape(21, 1, 1, 1)
        batches = data.training_pipeline(images, 8, 3, epochs=2)
        expected = [batch.ravel().tolist() for batch in batches.as_numpy_iterator()]
        distributed = strategy.experimental_distribute_dataset(batches)
        found = [[part.numpy().ravel().tolist() for part in strategy.experimental_local_results(batch)]
                 for batch in distributed]
        assert [sum(parts, []) for parts in found] == expected, (found, expected)
        assert [[len(part) for part in parts] for parts in found] == [[4, 4], [4, 4], [3, 2]] * 2, found
    """,
    )


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="memory is read as on Linux")
def test_replicas_read_the_one_copy_of_the_images():
    """300 MB of images and six replicas, whose own copies could not hide.

    TensorFlow takes a second copy for a moment when it makes a tensor of an array, and one more when
    `experimental_distribute_dataset` wraps the pipeline, which it keeps on some machines and drops on others.
    """
    _run_on_cpus(
        6,
        """
        def memory(key):
            lines = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

        images = np.ones((25000, 64, 64, 3), np.uint8)
        before = memory("VmRSS")
        pipeline = data.training_pipeline(images, 128, 3)
        tf.constant(1) + 1  # lets TensorFlow drop what it holds of the conversion
        batches = strategy.experimental_distribute_dataset(pipeline)
        making = (memory("VmHWM") - before) / images.nbytes
        open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
        for batch in batches:
            pass
        reading = (memory("VmHWM") - before) / images.nbytes
        assert 0.9 < making < 2.2, f"{making:.2f} copies while it is made"
        assert 0.9 < reading < 2.3, f"{reading:.2f} copies while it is read"
    """,
    )


def test_prepared_data_that_cannot_be_opened(fashion_dir, tmp_path):
    (there,) = (path for path in (fashion_dir / "fashion_mnist").iterdir() if path.is_dir())
    here = tmp_path / "fashion_mnist" / there.name
    here.mkdir(parents=True)
    for path in there.iterdir():
        (here / path.name).symlink_to(path)
    record = next(here.glob("*train*tfrecord*"))
    record.unlink()
    record.symlink_to(record)  # refused like a file without permission, to any user
    with pytest.raises(data.DataError, match="Too many levels of symbolic links") as caught:
        data.load("fashion_mnist", tmp_path)
    assert "damaged" not in str(caught.value) and "delete" not in str(caught.value)
