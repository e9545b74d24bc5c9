import gc

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.storage.compact import BFloat16, Grouped, Int8
from tfcoded.storage.derived import Derived


def kernel(shape=(40, 3, 3, 6), seed=0):
    """A kernel whose output channels differ in scale by 12 orders of magnitude."""
    scales = np.logspace(-6, 6, shape[-1])
    return (np.random.default_rng(seed).normal(size=shape) * scales).astype(np.float32)


def test_int8_rounds_each_output_channel_to_half_a_level():
    value = kernel()
    compact = Int8(value)
    assert compact.values.dtype == tf.int8
    level = np.abs(value).max(axis=(0, 1, 2)) / 127
    error = np.abs(compact.restored() - value)
    assert (error <= level * 0.5001).all()
    assert (error.max(axis=(0, 1, 2)) > 0.4 * level).all()  # coarser than any exact storage
    # The largest magnitude is a level itself, and of its own sign.
    largest = np.abs(value).reshape(-1, 6).argmax(axis=0)
    restored = compact.restored().numpy().reshape(-1, 6)[largest, range(6)]
    np.testing.assert_allclose(restored, value.reshape(-1, 6)[largest, range(6)], rtol=1e-6)


def test_int8_keeps_channels_of_zeros():
    value = kernel((5, 3))
    value[:, 1] = 0
    restored = Int8(value).restored().numpy()
    assert (restored[:, 1] == 0).all() and (restored[:, [0, 2]] != 0).any(axis=0).all()


@pytest.mark.parametrize("bits", [2, 4, 5, 6, 8])
def test_groups_round_to_half_a_level(bits):
    value = kernel()[:, :, :, ::5]  # 360 inputs: five groups and a part of one; scales apart by 10^12
    compact = Grouped(value, bits)
    assert compact.values.dtype == tf.uint8 and compact.values.shape.num_elements() == bits * 384 * 2 / 8
    restored = compact.restored().numpy()
    assert restored.shape == value.shape == compact.shape
    rows = np.pad(value.reshape(360, 2), [[0, 24], [0, 0]]).reshape(6, 64, 2)
    error = np.abs(np.pad(restored.reshape(360, 2), [[0, 24], [0, 0]]).reshape(6, 64, 2) - rows)
    level = np.abs(rows).max(1, keepdims=True) / 2 ** (bits - 1)
    # Half a level inside the range; outside, what is cut off: the range is shrunk by up to a quarter, and one side of
    # it is shorter by a level.
    cut_off = np.abs(rows) - 0.745 * (2 ** (bits - 1) - 1) * level
    assert (error <= np.maximum(0.503 * level, cut_off)).all()
    ratio = np.sqrt((error**2).mean((0, 1)) / (level**2).mean((0, 1)))
    assert (0.1 < ratio).all() and (ratio < 0.32).all()  # uniform errors within a level: 0.289


def test_each_bit_halves_the_error_and_an_outlier_spoils_its_group_alone():
    value = np.random.default_rng(0).normal(size=[512, 8]).astype(np.float32)
    value[0] *= 20
    errors = [np.square(Grouped(value, bits).restored() - value)[64:].mean() ** 0.5 for bits in (4, 5, 6, 7, 8)]
    for coarse, fine in zip(errors, errors[1:]):
        assert 1.7 < coarse / fine < 2.3
    assert errors[2] < np.square(Int8(value).restored() - value)[64:].mean() ** 0.5


def test_groups_of_zeros_and_of_one_sign():
    value = np.zeros([130, 3], np.float32)
    value[:64, 1] = 1.0
    value[64:, 2] = -np.linspace(0, 1, 66)
    restored = Grouped(value, 4).restored().numpy()
    assert (restored[:, 0] == 0).all() and (restored[64:, 1] == 0).all()
    np.testing.assert_allclose(restored[:64, 1], 1.0, rtol=1e-3)
    assert np.abs(restored - value)[:, 2].max() < 0.08
    assert (Grouped(np.zeros([64, 2], np.float32), 4).restored() == 0).numpy().all()


def test_bfloat16_rounds_to_eight_significant_bits():
    value = kernel()
    compact = BFloat16(value)
    assert compact.values.dtype == tf.bfloat16
    error = np.abs(compact.restored() / value - 1)
    assert 2**-10 < error.max() <= 2**-8


@pytest.mark.parametrize("storage", [BFloat16, Int8, lambda value: Grouped(value, 4)])
def test_derived_variable_is_computed_once_and_not_saved(storage, tmp_path):
    value = kernel()
    module = tf.Module()
    module.kernel = Derived(storage(value))

    @tf.function(input_signature=[])
    def read():
        return module.kernel.read()

    module.read = read
    expected = storage(value).restored()
    np.testing.assert_array_equal(module.read(), expected)
    for folder in ("a", "b"):
        tf.saved_model.save(module, str(tmp_path / folder))

    data = sum(file.stat().st_size for file in tmp_path.glob("a/variables/*"))
    stored = module.kernel._stored.values
    size = stored.shape.num_elements() * stored.dtype.size
    assert size <= data < size + 2000  # scales, object graph
    stored = [tf.saved_model.load(str(tmp_path / folder)) for folder in ("a", "a", "b")]
    for loaded in stored:
        np.testing.assert_array_equal(loaded.read(), expected)

    # Loaded twice, the variables are two: what happens to one is not seen in the other.
    one, two, _ = stored
    handle = one.kernel.resource_handle
    tf.raw_ops.AssignVariableOp(resource=handle, value=tf.zeros_like(expected))
    np.testing.assert_array_equal(one.read(), np.zeros_like(expected))
    np.testing.assert_array_equal(two.read(), expected)
    # A value set by hand is no longer derived: the computation ran at loading, not in the call.
    del one, handle, stored, loaded
    np.testing.assert_array_equal(two.read(), expected)
    np.testing.assert_array_equal(module.read(), expected)


def test_saved_again_a_loaded_model_still_has_its_variables(tmp_path):
    value = kernel().reshape(-1, 6)
    module = tf.Module()
    module.kernel = Derived(Int8(value))

    @tf.function(input_signature=[tf.TensorSpec([None, len(value)])])
    def product(x):
        return tf.matmul(x, module.kernel.read())

    module.product = product
    tf.saved_model.save(module, str(tmp_path / "a"))
    expected = Int8(value).restored().numpy()
    first = tf.saved_model.load(str(tmp_path / "a"))
    tf.saved_model.save(first, str(tmp_path / "b"))
    gc.collect()  # what saving made
    second = tf.saved_model.load(str(tmp_path / "b"))
    tf.saved_model.save(second, str(tmp_path / "c"))
    gc.collect()
    x = tf.eye(len(value))
    for loaded in (first, second, tf.saved_model.load(str(tmp_path / "c"))):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = loaded.product(x)
        np.testing.assert_allclose(y, expected, rtol=1e-6)
        np.testing.assert_allclose(tape.gradient(y, x)[0], expected.sum(axis=1), rtol=1e-4, atol=1e-5)
