import numpy as np
import pytest
import small_models
import tensorflow as tf

from tfcoded.codec import layer_inputs
from tfcoded.codec.coded_dvae_inference import inference_copy
from tfcoded.codec.weights import Weights, key
from tfcoded.networks.layers import Conv2D, Conv2DTranspose, Dense, PatchConv2D
from tfcoded.storage import rounding
from tfcoded.storage.compact import Grouped, fewest_bits
from tfcoded.storage.rounding import Moments, compensated


def moments_of(rows):
    found = Moments()
    for part in np.array_split(rows.astype(np.float32), 3):
        found.add(part)
    return found


def correlated(n=192, rank=24, count=2000, seed=0):
    """Rows that lie close to a few directions, as what layers see does."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=[count, rank]) @ rng.normal(size=[rank, n]) + 0.3 * rng.normal(size=[count, n])


def kernel(n=192, m=40, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, [n, m]).astype(np.float32)


def test_the_second_number_makes_good_what_the_first_lost(monkeypatch):
    monkeypatch.setattr(rounding, "_DAMPING", 1e-9)
    moments = Moments()
    moments.add(np.linalg.cholesky([[1.0, 0.9], [0.9, 1.0]]).T.astype(np.float32))
    # 0.4 becomes 0; what is missing of it is worth 0.9 * 0.4 of the second input: 0.4 + 0.36 becomes 1.
    np.testing.assert_array_equal(
        compensated(np.full([2, 1], 0.4, np.float32), np.ones([2, 1]), moments, 4), [[0], [1]]
    )
    np.testing.assert_array_equal(
        compensated(np.array([[0.4], [0.1]], np.float32), np.ones([2, 1]), moments, 4), [[0], [0]]
    )


def test_energy_is_the_change_of_the_products():
    rows, matrix = correlated(), kernel()
    assert moments_of(rows).energy(matrix) == pytest.approx(np.square(rows @ matrix).sum(), rel=1e-5)


def test_without_correlation_every_number_goes_to_the_nearest():
    matrix, scale = kernel(), np.float32(0.13)
    moments = Moments()
    moments.add(np.eye(192, dtype=np.float32))
    expected = np.clip(np.rint(matrix / scale), -8, 7)
    np.testing.assert_array_equal(compensated(matrix, np.full_like(matrix, scale), moments, 4), expected)


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_errors_cancel_where_inputs_are_correlated(bits):
    rows, matrix = correlated(count=4000), kernel()
    moments = moments_of(rows[:2000])
    nearest, found = (Grouped(matrix, bits, given).restored().numpy() for given in (None, moments))
    change = moments.energy(found - matrix) / moments.energy(nearest - matrix)
    # Errors along the 24 directions of 192 that matter cancel, the others cannot be hidden. For three seeds of rows and
    # kernels 0.074 to 0.140 remained, and 1.7 times the error of the numbers themselves.
    assert 0.05 < change < 0.2
    assert 1.4 < np.square(found - matrix).sum() / np.square(nearest - matrix).sum() < 2
    # Rows that were not seen say the same.
    unseen = np.square(rows[2000:] @ (found - matrix)).sum() / np.square(rows[2000:] @ (nearest - matrix)).sum()
    assert 0.9 < unseen / change < 1.1


def test_blocks_trade_errors_among_themselves_only(monkeypatch):
    matrix, rows = kernel(), correlated()
    whole = moments_of(rows)
    monkeypatch.setattr(rounding, "_BLOCK", 100)
    blocks = moments_of(rows)
    assert [part for part, _ in blocks.factors()] == [slice(0, 96), slice(96, 192)] and blocks.inputs == 192
    scale = np.full_like(matrix, 0.2)
    halves = [compensated(matrix[a : a + 96], scale[:96], moments_of(rows[:, a : a + 96]), 4) for a in (0, 96)]
    np.testing.assert_array_equal(compensated(matrix, scale, blocks, 4), np.concatenate(halves))
    assert (compensated(matrix, scale, whole, 4) != np.concatenate(halves)).any()


def test_inputs_that_are_always_zero_and_groups_of_zeros():
    matrix = kernel(130, 3)
    matrix[:, 1] = 0
    moments = Moments()
    moments.add(np.zeros([5, 130], np.float32))
    found = Grouped(matrix, 4, moments).restored().numpy()
    np.testing.assert_array_equal(found, Grouped(matrix, 4).restored())
    assert (found[:, 1] == 0).all()
    assert fewest_bits(matrix, moments, 1e-6)._bits == 2  # nothing is seen of it


def test_what_cannot_be_stored_in_a_group_of_zeros_is_made_good_later():
    matrix, rows = 100 * kernel(), correlated()
    matrix[64:128, :20] = 0  # their scale is 0, whatever the numbers before it leave to make good
    moments = moments_of(rows)
    nearest, found = (Grouped(matrix, 4, given).restored().numpy() for given in (None, moments))
    assert (found[64:128, :20] == 0).all()
    change = moments.energy((found - matrix)[:, :20]) / moments.energy((nearest - matrix)[:, :20])
    assert 0.1 < change < 0.22  # 0.14 to 0.17 for three kernels; 0.24 to 0.32 if what is lost there is forgotten


def test_the_fewest_bits():
    matrix, moments = kernel(), moments_of(correlated())
    errors = {
        bits: moments.energy(Grouped(matrix, bits, moments).restored().numpy() - matrix) / moments.energy(matrix)
        for bits in range(2, 9)
    }
    for bits in range(2, 8):
        assert 3 < errors[bits] / errors[bits + 1] < 12  # a quarter with each bit, the first of which save more
        assert fewest_bits(matrix, moments, errors[bits] * 1.0001)._bits == bits
        assert fewest_bits(matrix, moments, errors[bits] * 0.9999)._bits == bits + 1
    assert fewest_bits(matrix, moments, 0.0)._bits == 8


def test_moments_are_those_of_what_the_layers_are_given():
    settings = small_models.configuration("repetition")
    model = small_models.build(settings, contrast=True)
    images = small_models.images(settings, 6)
    found = layer_inputs.moments(model, images)
    layers = [*model.encoder._flatten_layers(), *model.decoder._flatten_layers()]
    layers = [layer for layer in layers if isinstance(layer, Conv2D | Conv2DTranspose | Dense | PatchConv2D)]
    assert set(found) == {key(layer.kernel) for layer in layers} and len(found) == 26
    assert all("call" not in vars(layer) for layer in layers)  # as they were
    # The first layer sees the images, and those of six words; its products are its outputs without the bias.
    first = model.encoder.convolutions[0]
    only = Moments()
    only.add(layer_inputs._rows(first, tf.cast(images, tf.float32) / 255))
    matrix = first.kernel.numpy().reshape(9, 64)
    products = first(tf.cast(images, tf.float32) / 255) - first.bias
    assert only.energy(matrix) == pytest.approx(float(tf.reduce_sum(products**2)), rel=1e-4)
    assert only.energy(matrix) < found[key(first.kernel)].energy(matrix) < 4 * only.energy(matrix)
    for layer in layers:
        assert layer.kernel.shape.num_elements() % found[key(layer.kernel)].inputs == 0


def test_the_last_layer_makes_good_what_the_others_lost():
    settings = small_models.configuration("repetition", width=32)
    model = small_models.build(settings, contrast=True)
    images = small_models.images(settings, 600)
    unseen = (model, images[300:], 1)
    head = model.encoder.head
    weights = Weights(model, "int4")
    kernel, bias = layer_inputs.refitted_head(model, weights, images[:300])
    exact = layer_inputs._head_inputs(*unseen) @ head.kernel + head.bias
    with weights.used_by(model.encoder, model.decoder):
        rounded = layer_inputs._head_inputs(*unseen)
    before, after = (rounded @ a + b - exact for a, b in ((head.kernel, head.bias), (kernel, bias)))
    remaining = np.square(after).mean() / np.square(before).mean()
    assert 0.04 < remaining < 0.3  # 0.070 to 0.159 for three seeds of weights and images


@pytest.mark.parametrize("storage, count", [("float32", 50), ("int4", 33)])
def test_where_nothing_was_rounded_or_images_are_few_the_last_layer_stays(storage, count):
    settings = small_models.configuration("repetition")  # 17 unknowns, two rows from every image
    model = small_models.build(settings, contrast=True)
    images = small_models.images(settings, 50)
    kernel, bias = layer_inputs.refitted_head(model, Weights(model, storage), images[:count])
    np.testing.assert_array_equal(kernel, model.encoder.head.kernel)
    np.testing.assert_array_equal(bias, model.encoder.head.bias)
    assert (layer_inputs.refitted_head(model, Weights(model, "int4"), images[:34])[1] != bias).all()


def test_compensated_models_have_the_fitted_layer():
    settings = small_models.configuration("repetition")
    with small_models.networks("repetition"):
        model = small_models.build(settings, contrast=True)
        images = small_models.images(settings, 50)
        weights = Weights(model, "compensated", layer_inputs.moments(model, images))
        _, bias = layer_inputs.refitted_head(model, weights, images)
        stored = inference_copy(model, settings, "compensated", images).stored._stored[key(model.encoder.head.bias)]
    np.testing.assert_array_equal(stored, bias)
    assert (bias != model.encoder.head.bias).all()


LAYERS = {
    "patches": lambda: PatchConv2D(6, 5, 2, 0, "c"),
    "same": lambda: Conv2D(6, 5, 3, 0, "c"),
    "transposed": lambda: Conv2DTranspose(6, 5, 2, 2, 0, 0, "c"),  # no tap overlaps another
}


@pytest.mark.parametrize("kind", LAYERS)
def test_rows_belong_to_kernels_as_they_are_stored(kind):
    layer = LAYERS[kind]()
    x = tf.random.stateless_normal([3, 8, 8, 6], [1, 2])
    y = layer(x) - layer.bias
    moments = Moments()
    moments.add(layer_inputs._rows(layer, x))
    matrix = layer.kernel.numpy().reshape(moments.inputs, -1)
    assert moments.energy(matrix) == pytest.approx(float(tf.reduce_sum(y**2)), rel=1e-5)
