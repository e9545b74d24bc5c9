"""box_plus against its definitions, at ties and at extremes."""

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.codes import box_plus, soft_xor


def _textbook(a, b):
    return 2 * np.arctanh(np.tanh(a / 2) * np.tanh(b / 2))


def _gradients(a, b, dtype):
    a, b = tf.constant(a, dtype), tf.constant(b, dtype)
    with tf.GradientTape() as tape:
        tape.watch((a, b))
        value = box_plus(a, b)
    return [x.numpy() for x in (value, *tape.gradient(value, (a, b)))]


def test_equals_the_textbook_form_in_float64():
    grid = np.concatenate([np.linspace(-14, 14, 57), [-1e-4, 1e-4, -1e-9, 1e-9, 0.999, 1.001]])
    a, b = np.meshgrid(grid, grid)
    np.testing.assert_allclose(box_plus(a, b), _textbook(a, b), rtol=1e-9, atol=1e-300)


def test_float32_has_a_small_relative_error_for_weak_and_strong_logits():
    rng = np.random.default_rng(1)
    a = (rng.choice([-1, 1], 20000) * 10 ** rng.uniform(-6, 1, 20000)).astype(np.float32)
    b = (rng.choice([-1, 1], 20000) * 10 ** rng.uniform(-6, 1, 20000)).astype(np.float32)
    exact = _textbook(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(box_plus(a, b), exact, rtol=3e-6, atol=0)


def test_extremes_in_float32():
    a = np.float32([200, 200, -200, -200, 200, 200, -200, 0, 0, 6000])
    b = np.float32([200, -200, 200, -200, 3, 0, 0, 0, 200, 150])
    value, d_a, d_b = _gradients(a, b, tf.float32)
    tie = np.log(2.0)
    expected = [200 - tie, tie - 200, tie - 200, 200 - tie, 3, 0, 0, 0, 0, 150]
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(d_a, [0.5, -0.5, 0.5, -0.5, 0, 0, 0, 0, 1, 0], atol=1e-7)
    np.testing.assert_allclose(d_b, [0.5, 0.5, -0.5, -0.5, 1, 1, -1, 0, 0, 1], atol=1e-7)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_logits_up_to_infinity(dtype, mode):
    """A certain bit changes nothing but the sign; with two, both derivatives are those of a tie."""
    inf, most = np.inf, dtype.max
    a = [inf, inf, -inf, -inf, inf, -inf, inf, 3, inf, -inf, most, most, most]
    b = [inf, -inf, inf, -inf, 3, 3, 0, inf, most, most, most, -most, 1]
    value = [inf, -inf, -inf, inf, 3, -3, 0, 3, most, -most, most, -most, 1]
    d_a = [0.5, -0.5, 0.5, -0.5, 0, 0, 0, 1, 0.5, 0.5, 0.5, -0.5, 0]
    d_b = [0.5, 0.5, -0.5, -0.5, 1, -1, 1, 0, 0.5, -0.5, 0.5, 0.5, 1]
    traced = _traced if mode == "eager" else tf.function(_traced, jit_compile=mode == "xla")
    found = traced(tf.constant(a, dtype), tf.constant(b, dtype))
    for x, expected in zip(found, (value, d_a, d_b)):
        np.testing.assert_allclose(x, expected, rtol=1e-6)
    np.testing.assert_array_equal(traced(tf.constant([np.nan, 1], dtype), tf.constant([inf, np.nan], dtype))[0], np.nan)


@pytest.mark.parametrize(
    "a, b",
    [(0.7, 0.7), (0.7, -0.7), (0.0, 0.0), (0.0, 1.5), (-1.5, 0.0), (-2.0, 1.0), (5.0, 5.0), (5.0, -5.0)],
)
def test_gradient_equals_finite_differences_at_ties_and_at_zero(a, b):
    step = 1e-5
    _, d_a, d_b = _gradients(a, b, tf.float64)
    np.testing.assert_allclose(d_a, (_textbook(a + step, b) - _textbook(a - step, b)) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(d_b, (_textbook(a, b + step) - _textbook(a, b - step)) / (2 * step), atol=1e-8)


def test_second_derivative_at_zero():
    a = tf.constant(0.0, tf.float64)
    b = tf.constant(0.8, tf.float64)
    with tf.GradientTape() as outer:
        outer.watch((a, b))
        with tf.GradientTape() as inner:
            inner.watch(a)
            value = box_plus(a, b)
        d_a = inner.gradient(value, a)
    # d/da = tanh(b/2) at a = 0, so that d2/dadb = (1 - tanh(b/2)^2) / 2.
    np.testing.assert_allclose(outer.gradient(d_a, b), (1 - np.tanh(0.4) ** 2) / 2, rtol=1e-12)


def test_gradients_of_broadcast_arguments_are_summed():
    a = tf.constant([[0.3], [-1.2]], tf.float64)
    b = tf.constant([0.5, 2.0, -0.7], tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((a, b))
        broadcast = tf.reduce_sum(box_plus(a, b))
        by_hand = tf.reduce_sum(box_plus(tf.tile(a, [1, 3]), tf.tile(b[tf.newaxis], [2, 1])))
    for x in (a, b):
        np.testing.assert_allclose(tape.gradient(broadcast, x), tape.gradient(by_hand, x), rtol=1e-14)


def test_soft_xor_is_the_probability_of_an_exclusive_or():
    rng = np.random.default_rng(2)
    p, r = rng.uniform(0.001, 0.999, (2, 500))
    q = p * (1 - r) + (1 - p) * r  # equation 15
    soft = soft_xor(np.log(p / (1 - p)), np.log(r / (1 - r)))
    np.testing.assert_allclose(soft, np.log(q / (1 - q)), atol=1e-12)


def test_xla_equals_eager():
    rng = np.random.default_rng(3)
    a, b = tf.unstack(tf.constant(rng.uniform(-200, 200, (2, 300)), tf.float32))
    compiled = tf.function(lambda a, b: _traced(a, b), jit_compile=True)
    for eager, xla in zip(_traced(a, b), compiled(a, b)):
        np.testing.assert_allclose(eager, xla, rtol=1e-5, atol=1e-6)


def _traced(a, b):
    with tf.GradientTape() as tape:
        tape.watch((a, b))
        value = box_plus(a, b)
    return (value, *tape.gradient(value, (a, b)))


@pytest.mark.parametrize("a, b", [(1, 2), (tf.constant(1.0), tf.constant(1.0, tf.float64))])
def test_wrong_types_are_refused(a, b):
    with pytest.raises(ValueError, match="floating-point type"):
        box_plus(a, b)
