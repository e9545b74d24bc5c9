import numpy as np
import pytest

from tfcoded.experiments.quantity import BLOCKS, Quantity, average, combined, over_seeds


def test_mean_and_its_error():
    samples = np.random.default_rng(0).normal(3.0, 2.0, 20_000)
    quantity = Quantity.mean(samples)
    assert quantity.value == pytest.approx(samples.mean())
    # Of 19 degrees of freedom: beyond these with probability 1e-4.
    assert 0.4 < quantity.standard_error / (2.0 / 20_000**0.5) < 1.7


def test_blocks_need_not_be_equal():
    samples = np.arange(43.0)
    replicates = Quantity.mean(samples).replicates
    for index, block in enumerate(np.array_split(samples, BLOCKS)):
        assert replicates[index] == pytest.approx(np.setdiff1d(samples, block).mean())


def test_few_samples_have_no_error():
    quantity = Quantity.mean([1.0, 2.0])
    assert quantity.value == 1.5 and quantity.standard_error is None
    assert combined(lambda a, b: a - b, quantity, Quantity.mean(np.ones(40))).standard_error is None


def test_difference_on_the_same_images_has_a_small_error():
    rng = np.random.default_rng(0)
    images = rng.normal(size=2000)
    a, b = Quantity.mean(images), Quantity.mean(images + 0.1 + 0.01 * rng.normal(size=2000))
    difference = combined(lambda x, y: y - x, a, b)
    assert difference.value == pytest.approx(0.1, abs=0.002)
    assert difference.standard_error < 0.05 * a.standard_error


def test_function_has_the_error_of_the_delta_method():
    quantity = Quantity.mean(np.random.default_rng(0).normal(4.0, 1.0, 4000))
    assert combined(np.sqrt, quantity).standard_error == pytest.approx(quantity.standard_error / 4, rel=0.01)


def test_over_seeds():
    seeds = [Quantity(value, np.full(BLOCKS, value)) for value in (1.0, 2.0, 6.0)]
    assert over_seeds(seeds) == pytest.approx((3.0, (7 / 3) ** 0.5))
    assert average(seeds).value == 3.0
    single = Quantity.mean(np.arange(100.0))
    assert over_seeds([single]) == (single.value, single.standard_error)
    assert over_seeds([Quantity(1.0)]) == (1.0, None)


def test_an_error_that_is_known_without_replicates():
    quantity = Quantity(2.0, error=0.25)
    assert quantity.standard_error == 0.25 and over_seeds([quantity]) == (2.0, 0.25)
    assert combined(lambda a: 2 * a, quantity).standard_error is None
