import numpy as np
import pytest
import tensorflow as tf

from export.compact import BFloat16, Int8
from export.derived import Derived


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


def test_bfloat16_rounds_to_eight_significant_bits():
    value = kernel()
    compact = BFloat16(value)
    assert compact.values.dtype == tf.bfloat16
    error = np.abs(compact.restored() / value - 1)
    assert 2**-10 < error.max() <= 2**-8


@pytest.mark.parametrize("storage", [BFloat16, Int8])
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
    size = value.size * module.kernel._stored.values.dtype.size
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
