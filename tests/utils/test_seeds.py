import ast
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.channels import GaussianChannel
from tfcoded.distributions import standard_normal
from tfcoded.networks.classifier import Classifier
from tfcoded.utils import seeds

DATA = [(0,), (seeds.TRAIN, 2**31 - 1), (1, -1, np.int64(7)), (tf.constant(5, tf.int64), 2, 3, 4, 5)]


@pytest.mark.parametrize("seed", [0, -5, 2**40 + 3, tf.constant([-7, 9])], ids=["zero", "negative", "large", "tensor"])
def test_a_seed_is_the_same_alone_in_a_function_and_under_xla(seed):
    found = set()
    for data in DATA:
        alone = seeds.derive(seed, *data)
        assert alone.dtype == tf.int32 and alone.shape == (2,)
        for compiled in (False, True):
            function = tf.function(lambda: seeds.derive(seed, *data), jit_compile=compiled)
            np.testing.assert_array_equal(function(), alone)
        found.add(tuple(alone.numpy()))
    assert len(found) == len(DATA)


def test_a_seed_depends_on_every_number_and_its_place():
    paths = [(), (0,), (0, 0), (1, 2, 3), (2, 1, 3), (1, 2, 4), (1, 2), (3, 1, 2)]
    found = {(seed, path): tuple(seeds.derive(seed, *path).numpy()) for seed in (0, 1, 2**31) for path in paths}
    assert len(set(found.values())) == len(found)


def test_a_seed_may_be_a_list_or_an_array_and_nothing_is_traced_again():
    expected = seeds.derive(tf.constant([3, 4]), 5)
    traces = seeds._fold_at_once(1).experimental_get_tracing_count()
    for seed in ([3, 4], (3, 4), np.array([3, 4], np.int32)):
        np.testing.assert_array_equal(seeds.derive(seed, np.int32(5)), expected)
    for number in range(9):
        seeds.derive([number, 2], number)
    assert seeds._fold_at_once(1).experimental_get_tracing_count() == traces


@pytest.mark.parametrize("compiled", [False, True])
def test_bits_are_the_same_alone_and_in_a_function_and_under_xla(compiled):
    function = tf.function(lambda seed: seeds.bits([5, 7], seed), jit_compile=compiled)
    for seed in ([1, 2], [-1, 2], [2**31 - 1, -(2**31)]):
        alone = seeds.bits([5, 7], seed)
        np.testing.assert_array_equal(function(tf.constant(seed)), alone)
        np.testing.assert_array_equal(tf.random.stateless_uniform([5, 7], seed, 0, 2, tf.int32), alone)  # as it was
    many = seeds.bits([10_000], [3, 4]).numpy()  # 6e-7: five standard deviations
    assert set(many) == {0, 1} and abs(many.mean() - 0.5) < 5 * 0.005


def test_every_draw_names_its_algorithm():
    """Without it XLA reads negative seeds, which half of the derived ones are, in another way."""
    root = pathlib.Path(seeds.__file__).parents[2]
    found = 0
    for path in (*root.glob("tfcoded/**/*.py"), *root.glob("export/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "func", None) and getattr(node.func, "attr", "")
            if name and name.startswith("stateless_") and name != "stateless_gamma":  # which has no choice
                assert any(keyword.arg == "alg" for keyword in node.keywords), f"{path}, line {node.lineno}"
                found += 1
    assert found > 5


def test_no_two_seeds_are_the_same_by_being_cut_off():
    numbers = [0, 1, -1, 2**31, 2**40, 2**40 + 1, 2**61 - 1, -(2**61)]
    assert len({tuple(seeds.derive(number, 1).numpy()) for number in numbers}) == len(numbers)
    np.testing.assert_array_equal(seeds.derive(np.int64([3, -4]), 1), seeds.derive([3, -4], 1))


@pytest.mark.parametrize(
    "seed", [2**61, -(2**62), 2**100, (2**40, 1), np.int64([1, -(2**31) - 1]), np.uint32([2**31, 0])]
)
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ValueError, match="seed must be"):
        seeds.derive(seed, 1)


@pytest.mark.parametrize("seed", [1.5, [1.5, 2.0], [1], [1, 2, 3], "a", None])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"seed must be int32"):
        seeds.derive(seed)


@pytest.mark.parametrize("number", [2**31, -(2**40), 2**100, 1.7, True, np.int64(2**40), tf.constant(2**40, tf.int64)])
def test_numbers_out_of_range_are_refused(number):
    with pytest.raises(ValueError, match="derived by must be int32"):
        seeds.derive(0, number)


def test_draws_refuse_such_seeds_too():
    for seed in ((2**40, 1), [1.5, 2.0], [1, 2, 3]):
        with pytest.raises(ValueError, match="seed must be int32"):
            GaussianChannel().corrupt(tf.zeros([1, 2]), seed)
        with pytest.raises(ValueError, match="seed must be int32"):
            standard_normal(tf.zeros([2]), seed)
    with pytest.raises(ValueError, match=r"seed must be in \[-2\^61, 2\^61\)"):
        GaussianChannel().corrupt(tf.zeros([1, 2]), 2**61)
    with pytest.raises(ValueError, match="seed must be"):
        Classifier(seed=2**40)


def test_seeds_are_known_numbers():
    """What was trained and measured with a seed is found again by every later version."""
    np.testing.assert_array_equal(seeds.derive(3), [3, 0])
    np.testing.assert_array_equal(seeds.derive(2**31 + 3), [3, 1])
    first = tf.random.stateless_uniform([], [3, 0], None, None, tf.int32, alg="philox")
    np.testing.assert_array_equal(seeds.derive(3, 8), [first, 8])
    np.testing.assert_array_equal(seeds.derive(3, 1, 2), [477088998, 2])
