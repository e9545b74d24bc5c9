import numpy as np
import pytest
import tensorflow as tf

from tfcoded import metrics


def test_psnr_of_a_constant_error():
    x = np.random.default_rng(0).uniform(0.2, 0.8, [3, 28, 28, 1]).astype(np.float32)
    np.testing.assert_allclose(metrics.psnr(x, x + 0.1), 20.0, atol=1e-4)
    np.testing.assert_allclose(metrics.psnr(x, x - 0.01), 40.0, atol=1e-3)


def test_psnr_takes_the_error_over_the_whole_batch():
    x = np.zeros([2, 4, 4, 3], np.float32)
    y = x.copy()
    y[0] = 0.2  # MSE 0.04 and 0: the batch has 0.02, a mean over images would be infinite
    np.testing.assert_allclose(metrics.psnr(x, y), -10 * np.log10(0.02), rtol=1e-6)


def test_psnr_does_not_depend_on_scaling_to_minus_one_and_one():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(size=[2, 5, 8, 8, 3])
    squared = np.mean(((2 * x - 1) - (2 * y - 1)) ** 2)
    np.testing.assert_allclose(metrics.psnr(x, y), 10 * np.log10(2**2 / squared), rtol=1e-6)


def test_psnr_of_equal_images_is_infinite():
    assert np.isposinf(metrics.psnr(tf.ones([1, 4, 4, 1]), tf.ones([1, 4, 4, 1])))


def test_ssim_of_equal_images_is_one():
    x = np.random.default_rng(2).uniform(size=[3, 28, 28, 1]).astype(np.float32)
    np.testing.assert_allclose(metrics.ssim(x, x), np.ones(3), atol=1e-6)


@pytest.mark.parametrize("a, b", [(0.1, 0.9), (0.5, 0.6), (0.0, 1.0)])
def test_ssim_of_constant_images(a, b):
    # Without variance only the luminance term is left.
    expected = (2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2)
    found = metrics.ssim(tf.fill([2, 16, 16, 3], a), tf.fill([2, 16, 16, 3], b))
    # E[x^2] - E[x]^2 of a constant is not quite 0 in float32, against a stabilising constant of 0.0009.
    np.testing.assert_allclose(found, [expected] * 2, atol=5e-4)


def test_ssim_against_the_definition_on_one_window():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(size=[2, 11, 11])
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()
    mean_x, mean_y = (window * x).sum(), (window * y).sum()
    var_x, var_y = (window * x * x).sum() - mean_x**2, (window * y * y).sum() - mean_y**2
    covariance = (window * x * y).sum() - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    found = metrics.ssim(x[None, ..., None], y[None, ..., None])
    np.testing.assert_allclose(found, [expected], atol=1e-5)


def test_ssim_is_per_image():
    x = np.random.default_rng(4).uniform(size=[2, 16, 16, 1]).astype(np.float32)
    y = x.copy()
    y[1] = 1 - y[1]
    first, second = metrics.ssim(x, y).numpy()
    assert first == pytest.approx(1.0, abs=1e-6) and second < 0


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim])
def test_different_shapes_are_refused(metric):
    with pytest.raises(ValueError, match=r"one shape .* \(2, 16, 16, 1\) and \(3, 16, 16, 1\)"):
        metric(tf.zeros([2, 16, 16, 1]), tf.zeros([3, 16, 16, 1]))


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="got 10 x 28"):
        metrics.ssim(tf.zeros([1, 10, 28, 1]), tf.zeros([1, 10, 28, 1]))
