"""Models of the code published with the paper, against its networks written down in NumPy with PyTorch's layouts."""

import collections
import re
import zipfile

import commands
import numpy as np
import pytest
import tensorflow as tf
import torch_archives

from export import published_weights
from tfcoded import models, zoo
from tfcoded.utils.errors import UserError
from tfcoded.zoo import sources

FILE = "checkpoint.pt"


def state_of(config, seed=0):
    """A checkpoint of the published networks with random weights, names and shapes as PyTorch has them."""
    height, _, channels = config.network.image_shape
    code_bits, grey = config.code_bits, channels == 1
    state, rng = collections.OrderedDict(), np.random.default_rng(seed)

    def layer(name, *shape, inputs, bias=None):
        state[f"{name}.weight"] = rng.uniform(-1, 1, shape).astype(np.float32) * (6 / inputs) ** 0.5
        if bias:
            state[f"{name}.bias"] = rng.uniform(-0.2, 0.2, bias).astype(np.float32)

    filters = [channels, 64, 128, 256] if grey else [channels, 64, 128, 256, 512]
    for index, (before, after) in enumerate(zip(filters[:-1], filters[1:])):
        size = 2 if index else 3
        layer(f"encoder.enc.{2 * index}", after, before, size, size, inputs=before * size**2, bias=after)
    position = 2 * len(filters) - 1 if grey else 2 * (len(filters) - 1)
    features = filters[-1] * (height // 2 ** (len(filters) - 2)) ** 2
    layer(f"encoder.enc.{position}.network.0", 512, features, inputs=features, bias=512)
    layer(f"encoder.enc.{position}.network.2", code_bits, 512, inputs=512, bias=code_bits)

    layer("decoder.dec.0.network.0", 1024, code_bits, inputs=code_bits, bias=1024)
    layer("decoder.dec.0.network.2", 9216, 1024, inputs=1024, bias=9216)
    for name, before, after, size in (
        ("conv1", 1024, 512, 1),
        ("conv2", 512, 256, 4),
        ("conv3", 256, 128, 4),
        ("conv4", 128, 64, 4),
        ("skip1", 1024, 256, 4),
        ("skip2", 512, 128, 6),
    ):
        layer(f"decoder.dec.2.{name}.conv_block.0", before, after, size, size, inputs=before * 4, bias=after)
        layer(f"decoder.dec.2.{name}.se_block.excitation.0", after // 16, after, inputs=after)
        layer(f"decoder.dec.2.{name}.se_block.excitation.2", after, after // 16, inputs=after // 16)
    head = [(64, 1, 1)] if grey else [(64, 32, 3), (32, 16, 3), (16, 3, 1)]
    for index, (before, after, size) in enumerate(head):
        layer(f"decoder.dec.{3 + 2 * index}", before, after, size, size, inputs=before * size**2, bias=after)
    return state


def state_of_classifier():
    """A checkpoint of the published classifier, in a larger dict as its training saves it."""
    state, rng = collections.OrderedDict(), np.random.default_rng(5)

    def layer(name, *shape):
        state[f"{name}.weight"] = (rng.normal(size=shape) / np.prod(shape[1:]) ** 0.5).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(size=shape[:1]).astype(np.float32)

    for name, before, after in (("layer1", 1, 32), ("layer2", 32, 64)):
        layer(f"{name}.0", after, before, 3, 3)
        for kind in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.1.{kind}"] = rng.uniform(0.5, 2.0, after).astype(np.float32)
        state[f"{name}.1.num_batches_tracked"] = np.array(7)
    for name, before, after in (("fc1", 2304, 1024), ("fc2", 1024, 128), ("fc3", 128, 10)):
        layer(name, after, before)
    return {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": {"param_groups": [{"lr": 1e-3}]}}


def classified(x, state):
    """Logits of one image `[1, row, column]`."""
    for name, padding in (("layer1", 1), ("layer2", 0)):
        x = convolved(x, state, f"{name}.0", 1, padding)
        norm = {
            kind: state[f"{name}.1.{kind}"][:, None, None] for kind in ("weight", "bias", "running_mean", "running_var")
        }
        x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
        x = np.maximum(x, 0)
        x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
        x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max(axis=(2, 4))
    x = x.reshape(-1)
    for name in ("fc1", "fc2", "fc3"):
        x = state[f"{name}.weight"] @ x + state[f"{name}.bias"]
    return x


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(x, state, name, stride, padding):
    """`torch.nn.Conv2d` of one image `[channel, row, column]`."""
    kernel = state[f"{name}.weight"]
    size = kernel.shape[-1]
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding)])
    length = (x.shape[1] - size) // stride + 1
    y = 0
    for row in range(size):
        for column in range(size):
            part = x[:, row : row + stride * length : stride, column : column + stride * length : stride]
            y = y + np.einsum("oc,chw->ohw", kernel[:, :, row, column], part[:, :length, :length])
    return y + state[f"{name}.bias"][:, None, None]


def transposed(x, state, name, stride, padding):
    """`torch.nn.ConvTranspose2d` of one image."""
    kernel = state[f"{name}.weight"]
    size, length = kernel.shape[-1], x.shape[1]
    y = np.zeros([kernel.shape[1], *[(length - 1) * stride + size] * 2])
    for row in range(size):
        for column in range(size):
            span = slice(row, row + stride * length, stride), slice(column, column + stride * length, stride)
            y[:, span[0], span[1]] += np.einsum("co,chw->ohw", kernel[:, :, row, column], x)
    y = y[:, padding : y.shape[1] - padding, padding : y.shape[2] - padding]
    return y + state[f"{name}.bias"][:, None, None]


def encoded(x, state):
    """Probabilities of the code bits of one image `[channel, row, column]`, before they are clipped."""
    names = [key.removesuffix(".weight") for key in state if re.fullmatch(r"encoder\.enc\.\d+\.weight", key)]
    grey = len(x) == 1
    for index, name in enumerate(names):
        x = convolved(x, state, name, stride=2 if index else 1, padding=0 if index else 1)
        if grey or index < len(names) - 1:  # for colour images the last one has no activation
            x = leaky(x)
    first, second = sorted({key.rsplit(".", 1)[0] for key in state if key.startswith("encoder") and "network" in key})
    x = leaky(state[f"{first}.weight"] @ x.reshape(-1) + state[f"{first}.bias"])
    return sigmoid(state[f"{second}.weight"] @ x + state[f"{second}.bias"])


def decoded(z, state):
    """The image `[channel, row, column]` of one z."""

    def block(x, name, stride, padding):
        x = leaky(transposed(x, state, f"decoder.dec.2.{name}.conv_block.0", stride, padding))
        squeeze, excite = (state[f"decoder.dec.2.{name}.se_block.excitation.{index}.weight"] for index in (0, 2))
        return x * sigmoid(excite @ np.maximum(squeeze @ x.mean(axis=(1, 2)), 0))[:, None, None]

    x = z
    for index in (0, 2):
        name = f"decoder.dec.0.network.{index}"
        x = np.tanh(state[f"{name}.weight"] @ x + state[f"{name}.bias"])
    x = x.reshape(1024, 3, 3)
    skip_1, a = block(x, "skip1", 2, 1), leaky(block(x, "conv1", 1, 0))
    skip_2, b = block(a, "skip2", 4, 0), leaky(block(a, "conv2", 2, 1))
    c = block(leaky(b + skip_1), "conv3", 2, 0)
    x = leaky(block(leaky(c + skip_2), "conv4", 2, 1))
    head = [key.removesuffix(".weight") for key in state if re.fullmatch(r"decoder\.dec\.\d+\.weight", key)]
    for name in head[:-1]:
        x = leaky(transposed(x, state, name, 1, 0))
    x = transposed(x, state, head[-1], 1, 0)
    return sigmoid(x) if len(x) == 1 else np.tanh(x)


@pytest.mark.parametrize("name", ["hier_5_100", "coded_70_700_cifar10"])
def test_the_networks_are_the_published_ones(name):
    config = zoo.config(name)
    model, state = models.build(config), state_of(config)
    published_weights.assign(model, state)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, config.network.image_shape, np.uint8)
    x = np.transpose(image / 255, [2, 0, 1])
    if len(x) == 3:
        x = 2 * x - 1  # as the published scripts normalize colours
    claims = np.clip(encoded(x, state), 0.001, 0.999)
    np.testing.assert_allclose(tf.sigmoid(model.code_logits(image[None]))[0], claims, rtol=0, atol=claims.std() / 1000)
    z = rng.uniform(size=config.code_bits)
    picture = decoded(z, state)
    if len(x) == 3:
        picture = (picture + 1) / 2
    mean = model.decode(tf.constant(z[None], tf.float32))[0]
    np.testing.assert_allclose(mean, np.transpose(picture, [1, 2, 0]), rtol=0, atol=picture.std() / 1000)


@pytest.fixture(scope="module", name="checkpoint")
def _checkpoint(tmp_path_factory):
    """A file of `uncoded_8`, and what is in it."""
    state = state_of(zoo.config("uncoded_8"))
    state._metadata = collections.OrderedDict(version=1)  # PyTorch's have such an attribute
    path = tmp_path_factory.mktemp("published") / FILE
    with pytest.MonkeyPatch.context() as patch:
        torch_archives.write(path, lambda _: state, patch)
    return path, state


def test_the_file_is_read_as_it_was_written(checkpoint):
    path, state = checkpoint
    found = published_weights.read(path)
    assert list(found) == list(state)
    for key, array in state.items():
        np.testing.assert_array_equal(found[key], array)


def test_the_command(checkpoint, tmp_path):
    path, state = checkpoint
    done = commands.run("export.published", "--model=uncoded_8", f"--checkpoint={path}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "published/uncoded_8/1\n" in done.stdout
    assert "python -m tfcoded.evaluate --saved_model=published/uncoded_8" in done.stdout
    codec = zoo.load_saved_model(tmp_path / "published" / "uncoded_8" / "1")
    image = np.random.default_rng(2).integers(0, 256, [1, 28, 28, 1], np.uint8)
    claims = encoded(np.transpose(image[0] / 255, [2, 0, 1]), state)  # without a code they are the posterior
    np.testing.assert_allclose(codec.encode(image)["bit_probabilities"][0], np.clip(claims, 0.001, 0.999), atol=2e-5)


def test_the_classifier_is_the_published_one_and_evaluation_takes_it(tmp_path):
    checkpoint = state_of_classifier()
    with pytest.MonkeyPatch.context() as patch:
        torch_archives.write(tmp_path / FILE, lambda _: checkpoint, patch)
    flags = ("--model=classifier_fashion_mnist", f"--checkpoint={FILE}")
    done = commands.run("export.published", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--zoo_dir=published makes python -m tfcoded.evaluate measure accuracies with it" in done.stdout
    classify = sources.load_classifier("fashion_mnist", tmp_path / "published")
    image = np.random.default_rng(3).integers(0, 256, [28, 28], np.uint8)
    logits = classified(image[None] / 255, checkpoint["model_state_dict"])
    np.testing.assert_allclose(classify(image[None, ..., None])[0], logits, rtol=0, atol=logits.std() / 1000)
    for more in ((), ("--out=other",)):  # evaluation would go on with the first one, or not find it
        done = commands.run("export.published", *flags, *more, cwd=tmp_path)
        assert done.returncode == 2 and "expected a new folder named classifier_fashion_mnist" in done.stderr
    assert [path.name for path in (tmp_path / "published" / "classifier_fashion_mnist").iterdir()] == ["1"]


@pytest.mark.parametrize("change", ["missing", "shape", "infinite"])
def test_another_classifier_is_refused(change):
    state = state_of_classifier()["model_state_dict"]
    if change == "missing":
        del state["fc2.bias"]
        message = "the checkpoint's classifier has 17 arrays; expected 18"
    elif change == "infinite":
        state["layer2.1.running_var"][3] = np.inf
        message = r"layer2\.1\.running_var of the checkpoint has numbers that are not finite"
    else:
        state["fc3.weight"] = state["fc3.weight"][:5]
        message = r"fc3\.weight of the checkpoint has the shape \(5, 128\), .* \(128, 5\); expected \(128, 10\)"
    with pytest.raises(UserError, match=message):
        published_weights.classifier(state)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model=coded_8_80"], r"encoder\.enc\.7\.network\.2\.weight .* \(8, 512\), .* expected \(512, 80\)"),
        (["--model=coded_100_1000_cifar10"], r"the checkpoint's encoder has 10 arrays; expected 12"),
        (["--model=uncoded_7"], r"unknown model 'uncoded_7'; did you mean 'uncoded_\d+'"),
        (["--model=bwlc_bec_cifar10"], r"expected a Coded-DVAE"),
        (["--model=uncoded_8", "--checkpoint=nothing.pt"], r"--checkpoint nothing\.pt is not a file"),
    ],
)
def test_what_does_not_fit_is_named(checkpoint, tmp_path, arguments, message):
    done = commands.run("export.published", f"--checkpoint={checkpoint[0]}", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["text", "module", "evil", "unnamed", "storage"])
def test_other_files_are_refused(tmp_path, monkeypatch, content):
    path = tmp_path / FILE
    if content == "text":
        path.write_text("weights")
    elif content == "module":
        torch_archives.write(path, lambda module: {"encoder": module()}, monkeypatch)
    elif content == "unnamed":
        torch_archives.write(path, lambda _: {1: np.zeros(2, np.float32)}, monkeypatch)
    elif content == "storage":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("out/data.pkl", b"(Vstorage\nVS4\nV0\ntQ.")
    else:
        torch_archives.write(path, lambda _: {"encoder": commands.run}, monkeypatch)
    with pytest.raises(UserError, match=f"{FILE} is not the state_dict of a model"):
        published_weights.read(path)
