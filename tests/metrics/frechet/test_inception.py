"""The FID network against an independent forward pass in NumPy, and with its real weights against PyTorch's.

inception_features.npz holds two images and their features as PyTorch 2.15 computes them in float64 from the
public TorchScript file itself, on the images resized in float64. That test needs the converted weights (see
tfcoded/metrics/frechet/inception_weights.py); all others do not.
"""

import pathlib

import numpy as np
import pytest

from tfcoded.metrics.frechet import inception, inception_weights
from tfcoded.metrics.frechet.inception import fid_inception


@pytest.fixture(scope="module", name="network")
def _network():
    return fid_inception()


@pytest.fixture(scope="module", name="weights")
def _weights(network):
    """Random weights under which activations keep their size."""
    rng = np.random.default_rng(0)
    weights = {}
    for layer in network.layers:
        for variable in layer.variables:
            if variable.name == "variance":
                values = rng.uniform(0.2, 1.0, size=variable.shape)
            else:
                scale = 1 / np.sqrt(np.prod(variable.shape[:-1])) if variable.name == "kernel" else 0.2
                values = scale * rng.normal(size=variable.shape)
            weights[f"{layer.name}.{variable.name}"] = values.astype(np.float32)
    return weights


def test_size(network):
    assert network.count_params() == inception_weights.VALUES == 21_802_784
    assert network.output_shape == (None, 2048)
    assert not network.trainable_variables


def test_resizing(network):
    images = np.random.default_rng(1).integers(0, 256, [2, 32, 45, 3]).astype(np.uint8)
    layer = network.get_layer("preprocessing")
    np.testing.assert_allclose(layer(images), preprocessed(images), atol=1e-5)
    # The closed form on a ramp: pixel i lies at i * 4 / 299, without a shift by half a pixel, up to the last
    # column.
    ramp = np.tile(np.uint8([0, 60, 120, 180])[:, np.newaxis], [1, 4, 1, 3])
    column = layer(ramp)[0, 0, :, 0]
    np.testing.assert_allclose(column, (np.minimum(np.arange(299) * 4 / 299 * 60, 180) - 128) / 128, atol=1e-5)


def test_an_image_of_the_networks_own_size_is_not_resized(network):
    images = np.random.default_rng(2).integers(0, 256, [1, 299, 299, 3]).astype(np.uint8)
    np.testing.assert_allclose(network.get_layer("preprocessing")(images), images / 128.0 - 1.0, atol=1e-6)


def test_pooling(network):
    # In an average over ones the padding shows if it is counted; the maximum is that of the last block only.
    ones = np.ones([1, 8, 8, 1280], np.float32)
    names = [layer.name for layer in network.layers if layer.name.endswith(".tower_2.pool")]
    names.append("mixed_9.tower_2_pool")
    assert len(names) == 8
    for name in names:
        np.testing.assert_allclose(network.get_layer(name)(ones), ones, atol=1e-6)
    rng = np.random.default_rng(3)
    x = rng.normal(size=[1, 8, 8, 2048]).astype(np.float32) - 5.0  # below the zeros of a padding
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    maxima = windows(padded, (3, 3), 1).max(axis=(-2, -1))
    np.testing.assert_array_equal(network.get_layer("mixed_10.tower_2_pool")(x), maxima)


def test_forward_pass_in_numpy(network, weights):
    inception.assign(network, weights)
    images = np.random.default_rng(4).integers(0, 256, [1, 32, 32, 3]).astype(np.uint8)
    expected = forward(images, weights)
    # Features of about 1 in float32: measured 3e-6. Batch norm with epsilon 1e-5 for 1e-3 is off by 0.1, the
    # other kind of pooling in one block by more.
    np.testing.assert_allclose(network(images), expected, rtol=1e-4, atol=1e-4 * expected.std())


def test_other_names_are_refused(network, weights):
    wrong = {name.replace("conv_4.", "conv_5."): array for name, array in weights.items()}
    with pytest.raises(ValueError, match="weights of another network: conv_4.kernel is in only one of the two"):
        inception.assign(network, wrong)


@pytest.mark.skipif(inception_weights.locate() is None, reason=f"no weights; set {inception_weights.ENVIRONMENT}")
def test_features_of_the_real_weights():
    golden = np.load(pathlib.Path(__file__).with_name("inception_features.npz"))
    network = fid_inception(inception_weights.load(inception_weights.locate()))
    features = network(golden["images"])
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features[:, :8], golden["features"][:, :8], atol=2e-5)
    np.testing.assert_allclose(features, golden["features"], atol=1e-4)


# The independent forward pass: written after the TorchScript's own listing, where convolutions say how many
# pixels they pad on each side.


def preprocessed(images):
    x = images.astype(np.float64)
    for axis in (1, 2):
        size = x.shape[axis]
        position = np.arange(299) * size / 299
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, size - 1)
        part = (position - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return ((x - 128) / 128).astype(np.float32)


def windows(x, size, stride):
    """`[N, H', W', C, *size]`."""
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))[:, ::stride, ::stride]


def forward(images, weights):
    def conv(x, name, stride=1, pad=(0, 0)):
        kernel, offset, mean, variance = (
            weights[f"{name}.{part}"] for part in ("kernel", "offset", "mean", "variance")
        )
        x = np.pad(x, [(0, 0), (pad[0], pad[0]), (pad[1], pad[1]), (0, 0)])
        patches = windows(x, kernel.shape[:2], stride)
        x = np.tensordot(patches, kernel.transpose(2, 0, 1, 3), axes=3)
        return np.maximum((x - mean) / np.sqrt(variance + 1e-3) + offset, 0)

    def shrink(x):
        return windows(x, (3, 3), 2).max(axis=(-2, -1))

    def average(x):
        ring = [(0, 0), (1, 1), (1, 1), (0, 0)]
        inside = windows(np.pad(np.ones_like(x[:1, :, :, :1]), ring), (3, 3), 1).sum(axis=(-2, -1))
        return windows(np.pad(x, ring), (3, 3), 1).sum(axis=(-2, -1)) / inside

    def maximum(x):
        ring = [(0, 0), (1, 1), (1, 1), (0, 0)]
        return windows(np.pad(x, ring, constant_values=-np.inf), (3, 3), 1).max(axis=(-2, -1))

    def join(*branches):
        return np.concatenate(branches, axis=-1)

    x = conv(preprocessed(images), "conv", 2)
    x = conv(x, "conv_1")
    x = shrink(conv(x, "conv_2", pad=(1, 1)))
    x = conv(x, "conv_3")
    x = shrink(conv(x, "conv_4"))
    for n in ("mixed", "mixed_1", "mixed_2"):
        tower = conv(conv(x, f"{n}.tower.conv"), f"{n}.tower.conv_1", pad=(2, 2))
        tower_1 = conv(conv(x, f"{n}.tower_1.conv"), f"{n}.tower_1.conv_1", pad=(1, 1))
        tower_1 = conv(tower_1, f"{n}.tower_1.conv_2", pad=(1, 1))
        x = join(conv(x, f"{n}.conv"), tower, tower_1, conv(average(x), f"{n}.tower_2.conv"))
    n = "mixed_3"
    tower = conv(conv(x, f"{n}.tower.conv"), f"{n}.tower.conv_1", pad=(1, 1))
    x = join(conv(x, f"{n}.conv", 2), conv(tower, f"{n}.tower.conv_2", 2), shrink(x))
    for n in ("mixed_4", "mixed_5", "mixed_6", "mixed_7"):
        tower = conv(conv(x, f"{n}.tower.conv"), f"{n}.tower.conv_1", pad=(0, 3))
        tower = conv(tower, f"{n}.tower.conv_2", pad=(3, 0))
        tower_1 = conv(conv(x, f"{n}.tower_1.conv"), f"{n}.tower_1.conv_1", pad=(3, 0))
        tower_1 = conv(tower_1, f"{n}.tower_1.conv_2", pad=(0, 3))
        tower_1 = conv(tower_1, f"{n}.tower_1.conv_3", pad=(3, 0))
        tower_1 = conv(tower_1, f"{n}.tower_1.conv_4", pad=(0, 3))
        x = join(conv(x, f"{n}.conv"), tower, tower_1, conv(average(x), f"{n}.tower_2.conv"))
    n = "mixed_8"
    tower = conv(conv(x, f"{n}.tower.conv"), f"{n}.tower.conv_1", 2)
    tower_1 = conv(conv(x, f"{n}.tower_1.conv"), f"{n}.tower_1.conv_1", pad=(0, 3))
    tower_1 = conv(conv(tower_1, f"{n}.tower_1.conv_2", pad=(3, 0)), f"{n}.tower_1.conv_3", 2)
    x = join(tower, tower_1, shrink(x))
    for n, pool in (("mixed_9", average), ("mixed_10", maximum)):
        a = conv(x, f"{n}.tower_conv")
        b = conv(conv(x, f"{n}.tower_1_conv"), f"{n}.tower_1_conv_1", pad=(1, 1))
        x = join(
            conv(x, f"{n}.conv"),
            conv(a, f"{n}.tower_mixed_conv", pad=(0, 1)),
            conv(a, f"{n}.tower_mixed_conv_1", pad=(1, 0)),
            conv(b, f"{n}.tower_1_mixed_conv", pad=(0, 1)),
            conv(b, f"{n}.tower_1_mixed_conv_1", pad=(1, 0)),
            conv(pool(x), f"{n}.tower_2_conv"),
        )
    assert x.shape[1:3] == (8, 8)
    return x.mean(axis=(1, 2))
