import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcoded.networks.layers import Conv2D, Conv2DTranspose, PatchConv2D, SqueezeExcitation
from tfcoded.networks.stock_layers import uniform_fan_in


@pytest.fixture(autouse=True)
def double_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


def compare(layer, stock, shape):
    """Values and all gradients of `layer` against a stock operation, in float64."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=shape))
    layer.build(shape)
    layer.bias.assign(rng.normal(size=layer.bias.shape))
    weight = tf.constant(rng.normal(size=layer(x).shape))
    results = []
    for function in (layer, stock):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(weight * y)
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])])
    for ours, theirs in zip(*results):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "size, stride, padding, side",
    [(1, 1, 0, 3), (4, 2, 1, 3), (4, 2, 0, 6), (4, 2, 1, 14), (6, 4, 0, 3), (3, 1, 0, 28), (2, 2, 0, 5), (5, 3, 2, 4)],
)
def test_transposed_convolution_equals_the_stock_operation(size, stride, padding, side):
    layer = Conv2DTranspose(5, 4, size, stride, padding, seed=0, name="layer")

    def stock(x):
        full = (side - 1) * stride + size
        kernel = tf.transpose(layer.kernel.value, [1, 2, 3, 0])
        y = tf.nn.conv2d_transpose(x, kernel, [2, full, full, 4], stride, "VALID")
        return y[:, padding : full - padding, padding : full - padding] + layer.bias.value

    compare(layer, stock, [2, side, side, 5])


def test_convolution_equals_the_stock_operation():
    layer = Conv2D(3, 7, 3, seed=0, name="layer")
    stock = lambda x: tf.nn.conv2d(x, tf.transpose(layer.kernel.value, [1, 2, 0, 3]), 1, "SAME") + layer.bias.value
    compare(layer, stock, [2, 6, 5, 3])


def test_patch_convolution_equals_the_stock_operation():
    layer = PatchConv2D(3, 7, 2, seed=0, name="layer")
    stock = lambda x: tf.nn.conv2d(x, tf.transpose(layer.kernel.value, [1, 2, 0, 3]), 2, "VALID") + layer.bias.value
    compare(layer, stock, [2, 6, 4, 3])


def test_squeeze_excitation_by_hand():
    layer = SqueezeExcitation(32, seed=0, name="gate")
    x = np.random.default_rng(0).normal(size=[2, 3, 4, 32])
    y = layer(tf.constant(x)).numpy()
    hidden = np.maximum(x.mean(axis=(1, 2)) @ layer.squeeze.kernel.numpy(), 0.0)
    gate = 1.0 / (1.0 + np.exp(-hidden @ layer.excite.kernel.numpy()))
    np.testing.assert_allclose(y, x * gate[:, None, None, :], rtol=1e-12)
    assert hidden.shape == (2, 2) and layer.squeeze.bias is None


def test_initial_values_are_uniform_within_the_fan_in_bound():
    values = uniform_fan_in(100, seed=3, name="a")([200_000]).numpy()
    assert np.abs(values).max() <= 0.1 and np.abs(values).max() > 0.0999
    # Mean and variance of 200,000 uniforms, each within 5 standard errors: false failures below 1.2e-6.
    assert abs(values.mean()) < 5 * 0.1 / np.sqrt(3 * 200_000)
    assert abs(values.var() / (0.01 / 3) - 1) < 5 * np.sqrt(0.8 / 200_000)


def test_initial_values_depend_on_seed_and_name_only():
    draw = lambda seed, name: uniform_fan_in(4, seed, name)([8]).numpy()
    assert (draw(0, "a") == draw(0, "a")).all()
    assert (draw(0, "a") != draw(1, "a")).any() and (draw(0, "a") != draw(0, "b")).any()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="layer: stride must be in 1..size=2"):
        Conv2DTranspose(3, 3, 2, 3, 0, seed=0, name="layer")
    with pytest.raises(ValueError, match="layer: expected 3 input channels"):
        PatchConv2D(3, 3, 2, seed=0, name="layer").build([None, 4, 4, 5])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2D(1, 4, 3, seed=0, name="conv"),
        lambda: PatchConv2D(1, 4, 2, seed=0, name="patch"),
        lambda: Conv2DTranspose(1, 4, 4, 2, 1, seed=0, name="transposed"),
    ],
    ids=["conv", "patch", "transposed"],
)
def test_bias_gradients_of_many_pixels_in_bfloat16(make):
    """Summed in bfloat16 they would stop at 256 times the terms; here 100,000 and more terms of mean 1."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = make()
    x = tf.zeros([128, 28, 28, 1])
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, tf.float32))
    pixels = y.shape[0] * y.shape[1] * y.shape[2]
    np.testing.assert_allclose(tape.gradient(loss, layer.bias.value), [pixels] * 4, rtol=1e-2)
