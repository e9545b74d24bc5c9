"""What all networks around a channel have in common, and the residual ones by themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from trained import as_trained

from tfcoded.distributions import normal_kl
from tfcoded.networks import (
    SIZES,
    ALVDecoder,
    BandDrawPrior,
    ConvLSTMCell,
    PlainDrawDecoder,
    ResNetDecoder,
    ResNetEncoder,
    SkipMLP,
)
from tfcoded.networks.resnet import ResidualBlock
from tfcoded.networks.stock_layers import transposed_convolution, uniform_fan_in
from tfcoded.runs.checkpoints import Checkpoints

SEED = tf.constant([1, 2])
SHAPE = (16, 16, 3)
X = tf.random.stateless_uniform([3, *SHAPE], [0, 1])
Z = tf.random.stateless_normal([3, 8], [0, 2])
DRAW = {"symbols": 8, "steps": 2, "hidden": 4, "condition": 3, "image_shape": SHAPE}

MAKE = {
    "resnet_encoder": lambda **k: ResNetEncoder(8, 4, SHAPE, **k),
    "bit_encoder": lambda **k: ResNetEncoder(8, 4, SHAPE, law="bits", **k),
    "skip_mlp": lambda **k: SkipMLP(8, 6, 0.5, **k),
    "resnet_decoder": lambda **k: ResNetDecoder(8, 4, SHAPE, **k),
    "plain": lambda **k: PlainDrawDecoder(**DRAW, **k),
    "alv": lambda **k: ALVDecoder(**DRAW, latents=2, **k),
    "alv_unconditional": lambda **k: ALVDecoder(**DRAW, latents=2, prior="unconditional", **k),
    "prior": lambda **k: BandDrawPrior(6, **k),
    "prior_spatial": lambda **k: BandDrawPrior(6, "spatial", **k),
}


def built(kind, seed=0):
    layer = MAKE[kind](seed=seed)
    layer.build((None, 2, 4) if isinstance(layer, BandDrawPrior) else (None, 8))
    return layer


def trained(kind):
    return as_trained(built(kind))


def run(layer, seed=SEED):
    """Everything that a network computes."""
    if isinstance(layer, BandDrawPrior):
        z = tf.reshape(Z, [3, 2, 4])
        return [*layer.dist_params(z), layer.sample(z, tf.constant([[True, False]] * 3), seed)]
    if isinstance(layer, ALVDecoder):
        explained = layer.posterior(Z, X, seed)
        return [layer(Z, seed), explained["images"], explained["kl"], explained["log_ratio"]]
    output = layer(X if isinstance(layer, ResNetEncoder) else Z)
    return list(output) if isinstance(output, tuple) else [output]


every = pytest.mark.parametrize("kind", MAKE)


@pytest.mark.parametrize("kind", [kind for kind in MAKE if kind != "alv_unconditional"])
def test_same_in_eager_mode_and_under_xla(kind):
    layer = trained(kind)
    compile_and_run = tf.function(lambda: run(layer), jit_compile=True, autograph=False)
    for compiled, eager in zip(compile_and_run(), run(layer)):
        assert np.std(eager) > 1e-2
        assert compiled.dtype == tf.float32
        np.testing.assert_allclose(compiled, eager, atol=2e-4)


@every
def test_every_weight_is_trained(kind):
    layer = trained(kind)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(tf.tanh(output) ** 2) for output in run(layer)])
    for variable, gradient in zip(layer.trainable_variables, tape.gradient(loss, layer.trainable_variables)):
        assert gradient is not None and np.all(np.isfinite(gradient)) and np.any(gradient != 0), variable.path


@every
def test_initial_weights_follow_from_the_seed(kind):
    first, again, other = built(kind, 3), built(kind, 3), built(kind, 4)
    for a, b in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)
    # The linear map of a SkipMLP is the identity whatever the seed.
    varied = [np.std(weight) > 0 and weight.name != "linear" for weight in first.trainable_variables]
    kernels = np.flatnonzero(varied)
    assert len(kernels)
    for i in kernels:
        a, b = first.trainable_variables[i].numpy(), other.trainable_variables[i].numpy()
        assert not np.any(a == b), first.trainable_variables[i].path
    # No two kernels of one network start with the same numbers.
    starts = [first.trainable_variables[i].numpy().ravel()[0] for i in kernels]
    starts = [abs(start) / first.trainable_variables[i].numpy().max() for start, i in zip(starts, kernels)]
    assert len(set(np.round(starts, 6))) == len(starts)


@every
def test_save_and_restore(kind, tmp_path):
    layer, restored = trained(kind), built(kind, 7)
    Checkpoints(tmp_path, layer).save(3)
    assert Checkpoints(tmp_path, restored).restore() == 3
    for a, b in zip(run(layer), run(restored)):
        np.testing.assert_array_equal(a, b)


@every
def test_configuration(kind):
    layer = MAKE[kind](seed=5)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    assert copy.seed == 5


@every
def test_mixed_precision(kind):
    """bfloat16 inside (8 bits: 0.4% a product), float32 outside, and other numbers than in float32."""
    precise = run(trained(kind))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        coarse = run(trained(kind))
    finally:
        keras.config.set_dtype_policy("float32")
    for a, b in zip(precise, coarse):
        assert b.dtype == tf.float32
        np.testing.assert_allclose(b, a, atol=0.06 * np.abs(a).max())
    assert any(np.any(a != b) for a, b in zip(precise, coarse))


@pytest.mark.parametrize("kind, index", [("alv", 0), ("alv", 1), ("alv_unconditional", 0), ("prior", 2)])
def test_draws_follow_from_the_seed(kind, index):
    layer = trained(kind)
    first, again, other = (run(layer, seed)[index] for seed in (SEED, SEED, tf.constant([1, 3])))
    np.testing.assert_array_equal(first, again)
    assert np.mean(np.abs(first - other)) > 1e-3


@pytest.mark.parametrize(
    "size, encoder, decoder, plain, alv, posterior, prior",
    [
        ("base", 1_710_604, 1_750_983, 890_179, 2_379_155, 1_456_456, 62_888),
        ("small", 117_532, 115_191, 159_571, 297_467, 133_540, 6_536),
        ("smoke", 33_012, 30_719, 65_963, 101_891, 33_748, 2_520),
    ],
)
def test_numbers_of_weights(size, encoder, decoder, plain, alv, posterior, prior):
    """Those stated in the docstrings; 3.5 million for a residual pair, as specified."""
    size = SIZES[size]
    draw = {"symbols": 100, "steps": size.steps, "hidden": size.hidden, "condition": size.condition}
    layers = [
        (ResNetEncoder(100, size.width), encoder),
        (ResNetDecoder(100, size.width), decoder),
        (PlainDrawDecoder(**draw), plain),
        (ALVDecoder(**draw, latents=size.latents), alv),
        (BandDrawPrior(size.prior_units), prior),
    ]
    for layer, count in layers:
        layer.build((None, 5, 20))
        assert layer.count_params() == count
        if isinstance(layer, ALVDecoder):
            assert sum(int(np.prod(v.shape)) for v in layer.posterior_variables) == posterior


def test_shapes():
    """Any batch of images, where their number is unknown at tracing."""
    encoder, decoder = ResNetEncoder(5, 2, (8, 24, 1)), ResNetDecoder(5, 2, (8, 24, 1))
    plain = PlainDrawDecoder(5, 1, 2, 2, (8, 24, 1))
    alv = ALVDecoder(5, 1, 2, 2, 1, image_shape=(8, 24, 1))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 24, 1])], autograph=False)
    def everything(x):
        mu, log_sig = encoder(x)
        return mu, log_sig, decoder(mu), plain(mu), alv(mu, SEED), *alv.posterior(mu, x, SEED).values()

    for batch in (1, 3):
        outputs = everything(tf.zeros([batch, 8, 24, 1]))
        expected = [(5,)] * 2 + [(8, 24, 1)] * 4 + [(1,)] * 2
        assert [tuple(output.shape) for output in outputs] == [(batch, *shape) for shape in expected]
    assert everything.get_concrete_function().output_shapes[2] == tf.TensorShape([None, 8, 24, 1])


@pytest.mark.parametrize("kind", [ResNetEncoder, ResNetDecoder, PlainDrawDecoder, ALVDecoder])
@pytest.mark.parametrize("shape", [(30, 32, 3), (32, 30, 3), (32, 32), (0, 32, 3)])
def test_impossible_image_shapes(kind, shape):
    with pytest.raises(ValueError, match="image_shape must be .height, width, channels. with multiples of [48]"):
        kind(8, image_shape=shape)


def test_residual_blocks_start_as_the_identity_and_can_leave_it():
    block = ResidualBlock(4, 0, "block")
    x = tf.random.stateless_normal([2, 8, 8, 4], [0, 3])
    np.testing.assert_array_equal(block(x), x)
    block.scale.assign(0.5)
    relu = tf.nn.relu
    inner = tf.nn.conv2d(relu(x), block.first.kernel, 1, "SAME") + block.first.bias
    expected = x + 0.5 * (tf.nn.conv2d(relu(inner), block.second.kernel, 1, "SAME") + block.second.bias)
    np.testing.assert_allclose(block(x), expected, atol=1e-5)


def test_residual_networks_compute_what_they_describe():
    """Layer by layer, in TensorFlow's own operations; every rectifier has negative numbers to cut."""

    def relu(x):
        assert np.any(x < 0)
        return tf.nn.relu(x)

    def convolved(x, layer, strides=1):
        return tf.nn.conv2d(x, layer.kernel, strides, "SAME") + layer.bias

    def doubled(x, layer):
        shape = [3, 2 * x.shape[1], 2 * x.shape[2], layer.kernel.shape[2]]
        return tf.nn.conv2d_transpose(x, layer.kernel, shape, 2, "SAME") + layer.bias

    def block(x, layer):
        return x + layer.scale * convolved(relu(convolved(relu(x), layer.first)), layer.second)

    def multiplied(x, layer):
        return x @ layer.kernel + layer.bias

    encoder, decoder = trained("resnet_encoder"), trained("resnet_decoder")
    x = convolved(2 * X - 1, encoder.down[0], 2)
    x = convolved(relu(block(block(x, encoder.blocks[0]), encoder.blocks[1])), encoder.down[1], 2)
    x = convolved(relu(block(block(x, encoder.blocks[2]), encoder.blocks[3])), encoder.down[2], 2)
    assert x.shape == (3, 2, 2, 8)
    parameters = multiplied(relu(multiplied(tf.reshape(relu(x), [3, 32]), encoder.hidden)), encoder.head)
    mu, log_sig = encoder(X)
    np.testing.assert_allclose(mu, parameters[:, :8], atol=1e-4)
    np.testing.assert_allclose(log_sig, np.clip(parameters[:, 8:], -6, 2), atol=1e-4)

    x = tf.reshape(multiplied(relu(multiplied(Z, decoder.hidden)), decoder.spread), [3, 2, 2, 8])
    x = doubled(relu(x), decoder.up[0])
    x = doubled(relu(block(block(x, decoder.blocks[0]), decoder.blocks[1])), decoder.up[1])
    x = doubled(relu(block(block(x, decoder.blocks[2]), decoder.blocks[3])), decoder.up[2])
    np.testing.assert_allclose(decoder(Z), convolved(relu(x), decoder.head), atol=1e-3)


def test_log_odds_of_bits():
    """One output per symbol, the same network otherwise, and not clipped."""
    bits, normal = trained("bit_encoder"), trained("resnet_encoder")
    assert bits(X).shape == (3, 8)
    for a, b in zip(bits.down, normal.down, strict=True):
        assert a.kernel.shape == b.kernel.shape
    features = bits.features(X)
    assert features.shape == (3, bits.units) == (3, 16)
    expected = features.numpy() @ bits.head.kernel.numpy() + bits.head.bias.numpy()
    np.testing.assert_allclose(bits(X), expected, rtol=1e-4, atol=1e-5)
    bits.head.bias.assign(tf.fill([8], 50.0))
    assert np.min(bits(X)) > 10
    with pytest.raises(ValueError, match="law must be 'normal' or 'bits', got 'cauchy'"):
        ResNetEncoder(8, 4, SHAPE, law="cauchy")


def test_a_linear_map_beside_a_small_network():
    layer = built("skip_mlp")
    np.testing.assert_array_equal(layer(Z), 0.5 * Z)
    assert layer.count_params() == 8 * 8 + 8 * 6 + 6 + 6 * 6 + 6 + 6 * 8 + 8
    layer = trained("skip_mlp")
    x = Z.numpy()
    for dense in layer.hidden:
        x = np.maximum(x @ dense.kernel.numpy() + dense.bias.numpy(), 0)
    expected = Z.numpy() @ layer.linear.numpy() + x @ layer.head.kernel.numpy() + layer.head.bias.numpy()
    np.testing.assert_allclose(layer(Z), expected, rtol=1e-4, atol=1e-5)


def test_log_sig_is_clipped():
    encoder = built("resnet_encoder")
    encoder.head.bias.assign([0.0] * 8 + [-9.0] * 4 + [9.0] * 4)
    mu, log_sig = encoder(X)
    assert np.abs(mu).max() > 0.01
    np.testing.assert_array_equal(log_sig, np.tile([-6.0] * 4 + [2.0] * 4, [3, 1]))


def test_sizes_of_what_the_networks_start_with():
    """Neither vanishing nor exploding: within a factor of 3 of what the gains aim at."""
    mu, log_sig = ResNetEncoder(100, 16)(tf.random.stateless_uniform([8, 32, 32, 3], [0, 1]))
    assert 0.2 < np.std(mu) < 2
    assert 0.2 < np.std(log_sig) < 2
    z = tf.random.stateless_normal([32, 100], [0, 2])
    for decoder in (ResNetDecoder(100, 16), PlainDrawDecoder(100, 4, 16, 8)):
        images = decoder(z)
        assert 0.4 < np.mean(images) < 0.6
        assert 0.03 < np.std(images) < 0.3


def test_transposed_convolutions_keep_the_variance_of_a_linear_gain():
    layer = transposed_convolution(64, 64, 4, 0, "up", gain=3**0.5)
    y = layer(tf.random.stateless_normal([8, 8, 8, 64], [0, 1]))[:, 2:-2, 2:-2]
    assert y.shape == (8, 12, 12, 64)
    assert 0.85 < np.var(y) < 1.15


def test_gain_of_initial_weights():
    wide, narrow = (uniform_fan_in(4, 0, "a", gain)([1000]) for gain in (2.0, 1.0))
    np.testing.assert_allclose(wide, 2 * narrow, rtol=1e-6)
    assert 0.49 < np.max(narrow) < 0.5


def test_conv_lstm_cell():
    """Against the equations, two steps from zero."""
    cell = ConvLSTMCell(3, 2, 3)
    x = tf.random.stateless_normal([2, 4, 5, 3], [0, 1])
    states = cell.zero_state(x)
    np.testing.assert_array_equal(states, np.zeros([2, 2, 4, 5, 2]))
    h = c = np.zeros([2, 4, 5, 2], np.float32)
    for _ in range(2):
        output, states = cell(x, states)
        kernel = cell.gates.kernel.numpy()
        raw = tf.nn.conv2d(x, kernel[:, :, :3], 1, "SAME") + tf.nn.conv2d(h, kernel[:, :, 3:], 1, "SAME")
        i, f, g, o = np.split(raw.numpy(), 4, axis=-1)
        c = tf.sigmoid(f + 1) * c + tf.sigmoid(i) * np.tanh(g)
        h = tf.sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(output, h, atol=1e-6)
        np.testing.assert_allclose(states[0], h, atol=1e-6)
        np.testing.assert_allclose(states[1], c, atol=1e-6)
    assert cell.count_params() == 9 * (3 + 2) * 8 + 8
    copy = ConvLSTMCell.from_config(cell.get_config())
    np.testing.assert_array_equal(copy(x, copy.zero_state(x))[0], cell(x, cell.zero_state(x))[0])


def test_normal_kl():
    """Closed form in float64 over a wide range, 0 and flat where the laws agree, never negative."""
    mean, log_std, prior_mean, prior_log_std = np.random.default_rng(0).normal(0, 2, [4, 1000])
    ratio = np.exp(2 * (log_std - prior_log_std))
    expected = (ratio + (mean - prior_mean) ** 2 / np.exp(2 * prior_log_std) - 1) / 2 - np.log(ratio) / 2
    np.testing.assert_allclose(normal_kl(mean, log_std, prior_mean, prior_log_std), expected, rtol=1e-10, atol=1e-13)
    near = tf.constant(np.logspace(-12, 0, 500), tf.float32)
    np.testing.assert_array_equal(normal_kl(mean, log_std, mean, log_std), np.zeros(1000))
    assert np.all(normal_kl(tf.zeros_like(near), near) >= 0)
    with pytest.raises(ValueError, match="log_std must be float32"):
        normal_kl(tf.zeros(2), tf.zeros(2, tf.float64))
