"""Properties every code must have, golden generator matrices, and decoding against enumeration."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from tfcoded.codes import Code, CodeSettings, Hierarchical, RandomCode, Repetition, Uncoded
from tfcoded.codes.codebook import all_words

CODES = [
    Uncoded(1),
    Uncoded(5),
    Repetition(3, 6),
    Repetition(5, 50),
    Repetition(6, 6),
    Hierarchical((5, 5), (10, 15)),
    Hierarchical((5, 5), (10, 15), polar=False),
    Hierarchical((2, 3), (4, 3)),
    Hierarchical((3, 2), (3, 6)),
    Hierarchical((1, 5), (2, 10)),
    Hierarchical((2, 2, 2), (2, 4, 6)),
    Hierarchical((1, 3, 2), (3, 3, 2)),
    Hierarchical((4,), (8,)),
]
THREE = [Uncoded(4), Repetition(4, 40), Hierarchical((2, 3, 1), (4, 6, 5))]
SMALL = [code for code in CODES if code.information_bits <= 6]


def _words(n):
    return np.array(list(itertools.product([0, 1], repeat=n)), np.int32)


def _logit(p):
    return np.log(p) - np.log1p(-p)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _posterior_by_enumeration(code, logits):
    """P(m_k = 1), if m is uniform and every code bit has independent evidence with these log-odds."""
    words = _words(code.information_bits)
    codewords = words.astype(int) @ code.generator_matrix % 2
    evidence = np.exp(codewords @ logits)
    return evidence @ words / evidence.sum()


# Golden matrices, written out by hand.


def test_generator_matrix_of_the_papers_repetition_code():
    expected = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]  # equation 7
    np.testing.assert_array_equal(Repetition(3, 6).generator_matrix, expected)
    assert Repetition(3, 6).generator_matrix.dtype == np.uint8


def test_generator_matrix_of_a_hierarchical_code_with_two_branches_of_five():
    expected = [
        [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
    ]
    np.testing.assert_array_equal(Hierarchical((5, 5), (5, 10)).generator_matrix, expected)


def test_generator_matrix_of_branches_that_grow_and_shrink():
    # Branches of 2, 3 and 1 bits. Bits 1, 2, 3 of branch 2 take bits 1, 2, 1 of branch 1; branch 3 takes bit
    # 1 of branch 2 itself, so that no row of branch 1 reaches the last column.
    expected = [
        [1, 0, 1, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 1, 1],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]
    np.testing.assert_array_equal(Hierarchical((2, 3, 1), (2, 3, 2)).generator_matrix, expected)


def test_generator_matrix_without_the_exclusive_or_is_block_diagonal():
    expected = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(Hierarchical((1, 2), (2, 2), polar=False).generator_matrix, expected)


# Hard encoding.


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_encode_is_multiplication_by_the_generator_matrix(code):
    words = _words(code.information_bits)
    encoded = code.encode(words)
    assert encoded.shape == (len(words), code.code_bits)
    np.testing.assert_array_equal(encoded, words @ code.generator_matrix.astype(int) % 2)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_encode_is_linear(code):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 64, code.information_bits))
    np.testing.assert_array_equal(code.encode(a ^ b), code.encode(a).numpy() ^ code.encode(b).numpy())


@pytest.mark.parametrize("dtype", [tf.bool, tf.uint8, tf.int32, tf.int64, tf.bfloat16, tf.float32])
def test_encode_keeps_the_dtype_and_leading_dimensions(dtype):
    code = Hierarchical((2, 3), (4, 3))
    bits = np.random.default_rng(0).integers(0, 2, (2, 3, 5))
    encoded = code.encode(tf.cast(bits, dtype))
    assert encoded.dtype == dtype
    np.testing.assert_array_equal(tf.cast(encoded, tf.int64), bits @ code.generator_matrix.astype(int) % 2)


# Soft decoding and soft encoding.


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize("size", [3.0, 200.0])
def test_soft_decode_of_a_clean_codeword_returns_the_word(code, size):
    words = _words(code.information_bits)
    logits = size * (2 * code.encode(words.astype(np.float32)) - 1)
    decoded = code.soft_decode(logits).numpy()
    np.testing.assert_array_equal(decoded > 0, words)
    assert np.all(np.isfinite(decoded)) and np.all(np.abs(decoded) > size / 3)


@pytest.mark.parametrize("code", SMALL, ids=repr)
def test_soft_decode_is_the_exact_posterior(code):
    # Also for the hierarchical codes, where equations 14 and 15 are exact because the words that the branches
    # carry are a one-to-one function of the message.
    rng = np.random.default_rng(1)
    for logits in rng.normal(scale=1.5, size=(5, code.code_bits)):
        expected = _posterior_by_enumeration(code, logits)
        np.testing.assert_allclose(_sigmoid(code.soft_decode(logits).numpy()), expected, atol=1e-12)


@pytest.mark.parametrize("code", SMALL, ids=repr)
def test_soft_encode_gives_the_marginals_of_independent_bits(code):
    rng = np.random.default_rng(2)
    words = _words(code.information_bits)
    for q in rng.uniform(0.02, 0.98, size=(5, code.information_bits)):
        word_probabilities = np.prod(np.where(words == 1, q, 1 - q), axis=1)
        expected = word_probabilities @ (words.astype(int) @ code.generator_matrix % 2)
        np.testing.assert_allclose(_sigmoid(code.soft_encode(_logit(q)).numpy()), expected, atol=1e-12)


def test_hierarchical_code_follows_the_papers_equations():
    code = Hierarchical((3, 3), (6, 9))
    logits = np.random.default_rng(3).normal(size=15)
    q = _sigmoid(logits)

    def repetition(q):  # equation 11
        one, zero = np.prod(q, axis=-1), np.prod(1 - q, axis=-1)
        return one / (one + zero)

    m1 = repetition(q[:6].reshape(3, 2))
    m12 = repetition(q[6:].reshape(3, 3))
    m2 = m12 * (1 - m1) + (1 - m12) * m1  # equations 14, 15
    decoded = code.soft_decode(logits)
    np.testing.assert_allclose(_sigmoid(decoded.numpy()), np.concatenate([m1, m2]), rtol=1e-12)

    again = m1 * (1 - m2) + (1 - m1) * m2  # equations 16, 17
    expected = np.concatenate([np.repeat(m1, 2), np.repeat(again, 3)])
    np.testing.assert_allclose(_sigmoid(code.soft_encode(decoded).numpy()), expected, rtol=1e-12)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_soft_encode_of_certain_bits_is_encode(code):
    words = _words(code.information_bits)
    encoded = code.soft_encode(200.0 * (2 * words.astype(np.float32) - 1)).numpy()
    np.testing.assert_array_equal(encoded > 0, code.encode(words).numpy() == 1)
    assert np.all(np.abs(encoded) > 199)


@pytest.mark.parametrize("code", [Repetition(3, 6), Hierarchical((2, 3, 1), (2, 3, 2))], ids=repr)
@pytest.mark.parametrize("name", ["soft_encode", "soft_decode"])
def test_gradients_equal_finite_differences(code, name):
    function = getattr(code, name)
    size = code.information_bits if name == "soft_encode" else code.code_bits
    logits = tf.constant(np.random.default_rng(4).normal(size=size))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(logits)
    jacobian = tape.jacobian(value, logits).numpy()
    step = 1e-5
    for i, direction in enumerate(np.eye(size) * step):
        difference = (function(logits + direction) - function(logits - direction)) / (2 * step)
        np.testing.assert_allclose(jacobian[:, i], difference, atol=1e-8)


@pytest.mark.parametrize("code", THREE, ids=repr)
def test_float32_gradients_are_finite_for_saturated_logits(code):
    rng = np.random.default_rng(5)
    logits = tf.constant(rng.choice([-200.0, 0.0, 200.0], (500, code.code_bits)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = code.soft_encode(code.soft_decode(logits))
    assert np.all(np.isfinite(value)) and np.all(np.isfinite(tape.gradient(value, logits)))


# Certain and contradictory evidence.

EXTREME = [Uncoded(4), Repetition(3, 12), Hierarchical((2, 2, 1), (6, 4, 3)), RandomCode(3, 12, seed=1)]


def _log_odds_by_enumeration(code, logits):
    """Of every information bit, `[b, M]`, in float64."""
    words = all_words(code.information_bits) == 1
    scores = (logits @ code.codebook.T)[..., np.newaxis]
    one, zero = (np.logaddexp.reduce(np.where(words == side, scores, -np.inf), axis=1) for side in (True, False))
    return one - zero


def _traced(function):
    def run(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = function(logits)
        return value, tape.gradient(value, logits)

    return run


def _in_every_mode(function, logits, atol=1e-5):
    """Value and gradient, eager, in a graph and under XLA, with the gradient finite and the modes alike."""
    found = [
        mode(tf.constant(logits))
        for mode in (_traced(function), *(tf.function(_traced(function), jit_compile=xla) for xla in (False, True)))
    ]
    for value, gradient in found:
        assert np.all(np.isfinite(gradient))
        np.testing.assert_allclose(value, found[0][0], rtol=1e-5, atol=atol)
    return found[0][0].numpy()


@pytest.mark.parametrize("code", EXTREME, ids=repr)
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-8)])
def test_infinite_logits_are_the_limit_of_equal_large_ones(code, dtype, tolerance):
    """As many infinite ones of either sign cancel, and the finite ones decide; the posterior is never undefined."""
    large = 1e6
    logits = np.random.default_rng(9).choice([-np.inf, -2.5, 0.0, 1.25, np.inf], [300, code.code_bits])
    limit = _log_odds_by_enumeration(code, np.clip(logits, -large, large))
    expected = np.where(np.abs(limit) > large / 2, np.copysign(np.inf, limit), limit)
    assert np.isinf(expected).any() and np.isfinite(expected).any()
    decoded = _in_every_mode(code.soft_decode, logits.astype(dtype))
    np.testing.assert_allclose(decoded, expected, rtol=tolerance, atol=tolerance)
    encoded = _in_every_mode(code.soft_encode, decoded)
    words = tf.cast(decoded > 0, tf.int32)
    certain = np.isinf(decoded).all(axis=1)
    np.testing.assert_array_equal(encoded[certain] > 0, code.encode(words).numpy()[certain] == 1)
    assert certain.any() and np.all(np.abs(encoded[certain]) > 600)


@pytest.mark.parametrize("code", EXTREME, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_the_largest_numbers_do_not_overflow_on_the_way(code, dtype):
    most = np.finfo(dtype).max
    logits = most * np.random.default_rng(10).choice([-0.77, -0.29, 0.29, 0.77], [300, code.code_bits])
    decoded = _in_every_mode(code.soft_decode, logits.astype(dtype), atol=1e-6 * most)
    # At these sizes log-odds are the difference of the two largest scores, and scale with the logits.
    expected = _log_odds_by_enumeration(code, np.float64(2.0**-100) * logits)
    with np.errstate(over="ignore"):
        expected = (2.0**100 * expected).astype(dtype)
    np.testing.assert_allclose(decoded, expected, rtol=1e-6, atol=1e-6 * most)
    assert np.all(np.isfinite(decoded[np.abs(expected) < most])) and np.any(np.abs(decoded) < most)


# In graphs of unknown shape, and compiled.


@pytest.mark.parametrize("code", THREE, ids=repr)
@pytest.mark.parametrize("shape", [[None, "n"], [None, None], None], ids=str)
def test_graphs_of_unknown_shape_equal_eager(code, shape):
    rng = np.random.default_rng(6)
    for name, size in [("soft_decode", code.code_bits), ("soft_encode", code.information_bits)]:
        logits = rng.normal(size=(7, size)).astype(np.float32)
        signature = shape and [size if n == "n" else n for n in shape]
        graph = tf.function(getattr(code, name), input_signature=[tf.TensorSpec(signature, tf.float32)])
        np.testing.assert_allclose(graph(logits), getattr(code, name)(logits), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("code", THREE, ids=repr)
def test_static_shape_is_kept_for_an_unknown_batch(code):
    @tf.function(input_signature=[tf.TensorSpec([None, code.code_bits], tf.float32)])
    def trace(logits):
        decoded = code.soft_decode(logits)
        assert decoded.shape.as_list() == [None, code.information_bits]
        assert code.soft_encode(decoded).shape.as_list() == [None, code.code_bits]
        return decoded

    trace.get_concrete_function()


@pytest.mark.parametrize("code", THREE, ids=repr)
def test_xla_equals_eager(code):
    logits = tf.constant(np.random.default_rng(7).normal(scale=5, size=(9, code.code_bits)), tf.float32)

    def run(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            decoded = code.soft_decode(logits)
            encoded = code.soft_encode(decoded)
            loss = tf.reduce_sum(tf.sin(encoded))
        hard = code.encode(tf.cast(decoded > 0, tf.int32))
        return decoded, encoded, tape.gradient(loss, logits), hard

    for eager, compiled in zip(run(logits), tf.function(run, jit_compile=True)(logits)):
        np.testing.assert_allclose(eager, compiled, rtol=1e-5, atol=1e-5)


# Numbers.


def _distance_by_enumeration(code):
    weights = code.encode(_words(code.information_bits)).numpy().sum(axis=1)
    return weights[1:].min()  # the code is linear, and word 0 is first


@pytest.mark.parametrize("code", SMALL, ids=repr)
def test_minimum_distance_equals_enumeration(code):
    assert code.minimum_distance == _distance_by_enumeration(code)


def test_minimum_distance_of_long_codes():
    assert Uncoded(130).minimum_distance == 1
    assert Repetition(130, 3900).minimum_distance == 30
    assert Hierarchical((20, 20), (60, 40)).minimum_distance == 2


class _Linear(Code):
    """A code known by its generator matrix only."""

    def __init__(self, matrix):
        super().__init__(*np.shape(matrix))
        self._matrix = np.array(matrix, np.uint8)

    def get_config(self):
        return {"matrix": self._matrix.tolist()}

    def _generator_matrix(self):
        return self._matrix.copy()

    def _encode(self, bits):
        raise NotImplementedError

    _soft_encode = _soft_decode = _encode


def test_minimum_distance_is_enumerated_where_no_formula_is_known():
    hamming = [[1, 0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0, 1], [0, 0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1]]
    assert _Linear(hamming).minimum_distance == 3
    assert _Linear(np.repeat(hamming, 5, axis=1)).minimum_distance == 15
    # Sixteen bits, whose only word of weight 1 is the very last, all ones.
    blocks = np.repeat(np.eye(15), 3, axis=1)
    last = np.concatenate([blocks, np.ones([1, 45])])
    assert _Linear(np.concatenate([last, np.eye(16)[:, 15:]], axis=1)).minimum_distance == 1
    assert _Linear(np.eye(17)).minimum_distance is None


def test_rate_and_lengths():
    assert Repetition(8, 240).rate == pytest.approx(1 / 30)
    assert Repetition(8, 240).branches == (8,)
    code = Hierarchical((5, 3), (50, 60))
    assert (code.information_bits, code.code_bits, code.branches) == (8, 110, (5, 3))
    assert code.rate == pytest.approx(8 / 110)


def test_generator_matrix_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Repetition(2, 4).generator_matrix[0, 0] = 0


# Configuration, equality, bad input.


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_configuration_round_trips(code):
    again = type(code).from_config(json.loads(json.dumps(code.get_config())))
    assert again == code and hash(again) == hash(code) and repr(again) == repr(code)
    assert eval(repr(code)) == code
    np.testing.assert_array_equal(again.generator_matrix, code.generator_matrix)


def test_different_codes_differ():
    assert len({repr(code) for code in CODES}) == len(set(CODES)) == len(CODES)
    assert Repetition(4, 8) != Repetition(4, 12)
    assert Uncoded(4) != Repetition(4, 4)
    assert Hierarchical((2, 2), (2, 2)) != Hierarchical((2, 2), (2, 2), polar=False)


def build(kind, information_bits, code_bits, **settings):
    """The code of a configuration's section."""
    bits = {"information_bits": information_bits, "code_bits": code_bits}
    return CodeSettings.read({"kind": kind, **bits, **settings}).build()


def test_settings_make_codes():
    assert build("uncoded", 8, 8) == Uncoded(8)
    assert build("repetition", 8, 240) == Repetition(8, 240)
    assert build("hierarchical", [5, 5], [50, 50], polar=False) == Hierarchical((5, 5), (50, 50), polar=False)
    assert build("hierarchical", [5, 5], [50, 50]) == Hierarchical()


@pytest.mark.parametrize("kind, bits", [("uncoded", (4, 4)), ("repetition", (4, 12)), ("random", (4, 16))])
def test_settings_agree_with_the_code_they_make(kind, bits):
    settings = CodeSettings.read({"kind": kind, "information_bits": bits[0], "code_bits": bits[1]})
    code = settings.build()
    assert (settings.branches, settings.branch_code_bits) == (code.branches, (code.code_bits,)) == ((4,), bits[1:])
    assert settings.coded == (code != Uncoded(4))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: build("repitition", 8, 80), "did you mean 'repetition'"),
        (lambda: build("repetition", [4, 4], 80), "a single number"),
        (lambda: build("uncoded", 8, 80), "expected 8, like information_bits"),
        (lambda: Repetition(8, 81), "code_bits must be a multiple of information_bits.*81 and 8"),
        (lambda: Repetition(8, 4), "multiple"),
        (lambda: Repetition(0, 8), "information_bits must be a positive integer, got 0"),
        (lambda: Repetition(8.0, 80), "positive integer, got 8.0"),
        (lambda: Uncoded(True), "positive integer, got True"),
        (lambda: Hierarchical((5, 5), (50,)), "one entry per branch"),
        (lambda: Hierarchical((), ()), "non-empty"),
        (lambda: Hierarchical(10, 100), "non-empty sequence"),
        (lambda: Hierarchical((5, 4), (50, 50)), "branch 2: .*multiple"),
        (lambda: Hierarchical((5, 5), (50, 50), polar="no"), "polar must be True or False"),
        (lambda: Repetition(8, 8).encode(np.zeros((3, 9))), r"encode of Repetition.*\[\.\.\., 8\].*\(3, 9\)"),
        (lambda: Repetition(8, 80).soft_decode(np.zeros((3, 8))), "last dimension must be .* 80 code bits"),
        (lambda: Repetition(8, 80).soft_encode(np.zeros((3, 80))), "8 information bits"),
        (lambda: Uncoded(8).encode(1), "information bits"),
        (lambda: Uncoded(4).encode([[0, 2, 1, -7]]), r"Uncoded\(.*\) takes bits, zeros and ones; got 2"),
        (lambda: Hierarchical((1, 1), (2, 2)).encode([[0.5, 1.0]]), "takes bits, zeros and ones; got 0.5"),
        (lambda: RandomCode(2, 8).encode([[np.nan, 1.0]]), "takes bits, zeros and ones; got nan"),
        (lambda: tf.function(lambda: Repetition(2, 4).encode([[0, -1]]))(), "takes bits, zeros and ones; got -1"),
        (lambda: Uncoded(8).soft_decode(np.zeros(8, np.int32)), "floating-point logits, got int32"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
