import numpy as np
import pytest
import tensorflow as tf

from tfcoded import codes
from tfcoded.codes.codebook import all_words, information_marginals, word_numbers
from tfcoded.codes.random_code import RandomCode

CODE = RandomCode(3, 10, seed=1)


def test_words_and_their_numbers():
    words = all_words(3)
    np.testing.assert_array_equal(words[6], [0, 1, 1])
    assert len({tuple(word) for word in words}) == 8
    np.testing.assert_array_equal(word_numbers(words), np.arange(8))
    np.testing.assert_array_equal(word_numbers(tf.constant(words, tf.float32)), np.arange(8))


def test_the_codebook_never_changes():
    """What a trained model's bits mean depends on it."""
    assert RandomCode(2, 8, seed=0).codebook.tolist() == [
        [0, 1, 1, 0, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 1, 1, 0],
        [0, 1, 1, 1, 1, 0, 1, 0],
    ]
    assert (RandomCode(8, 240).codebook != RandomCode(8, 240, seed=1).codebook).any()


def test_codewords_are_fair_coin_flips():
    # 61,440 flips, s.d. 0.00202: 5 s.d., false failures below 1e-6. Of 256 means of 240 flips, the one farthest from
    # 1/2 lies between 2 and 5.5 s.d. off: false failures below 2e-5.
    codebook = RandomCode(8, 240).codebook
    assert abs(codebook.mean() - 0.5) < 5 * 0.00202
    assert 2 < np.abs(codebook.mean(1) - 0.5).max() / (0.5 / 240**0.5) < 5.5


@pytest.mark.parametrize("dtype", [tf.int32, tf.float32, tf.bool, tf.uint8])
def test_encoding_looks_the_word_up(dtype):
    words = tf.cast(all_words(3), dtype)
    assert CODE.encode(words).dtype == dtype
    np.testing.assert_array_equal(tf.cast(CODE.encode(words), tf.uint8), CODE.codebook)
    assert CODE.encode(words[tf.newaxis, :4]).shape == (1, 4, 10)


@pytest.mark.parametrize("code", [CODE, codes.Hierarchical((2, 2), (4, 6)), codes.Uncoded(4)], ids=repr)
def test_minimum_distance_and_codebook_by_comparing_pairs(code):
    words = code.encode(all_words(code.information_bits)).numpy()
    np.testing.assert_array_equal(code.codebook, words)
    distances = (words[:, np.newaxis] != words).sum(-1)
    assert code.minimum_distance == distances[~np.eye(len(words), dtype=bool)].min() > 0


def test_it_is_not_linear():
    assert CODE.generator_matrix is None


def test_soft_decoding_by_enumeration():
    logits = np.random.default_rng(0).normal(0, 3, [5, 10])
    p = 1 / (1 + np.exp(-logits))[:, np.newaxis]
    likelihood = np.where(CODE.codebook, p, 1 - p).prod(-1)  # [5, 8]
    posterior = likelihood / likelihood.sum(-1, keepdims=True)
    scores = CODE.word_scores(tf.constant(logits))
    np.testing.assert_allclose(tf.nn.softmax(scores), posterior, rtol=1e-9)
    one = posterior @ all_words(3)
    np.testing.assert_allclose(tf.sigmoid(CODE.soft_decode(tf.constant(logits))), one, rtol=1e-9)
    assert CODE.soft_decode(tf.constant(logits, tf.float32)).dtype == tf.float32


def test_soft_encoding_by_enumeration():
    logits = np.random.default_rng(0).normal(0, 2, [5, 3])
    p = 1 / (1 + np.exp(-logits))[:, np.newaxis]
    words = np.where(all_words(3), p, 1 - p).prod(-1)
    np.testing.assert_allclose(
        tf.sigmoid(CODE.soft_encode(tf.constant(logits))), words @ CODE.codebook, rtol=1e-9, atol=1e-300
    )


def test_certainty_stays_finite():
    certain = tf.constant([[200.0, -200.0, 200.0]])
    soft = CODE.soft_encode(certain)
    np.testing.assert_array_equal(soft > 0, CODE.encode(tf.cast(certain > 0, tf.int32)) == 1)
    assert np.isfinite(soft).all() and np.isfinite(CODE.soft_decode(50 * soft)).all()
    np.testing.assert_array_equal(CODE.soft_decode(soft) > 0, certain > 0)


def test_few_flipped_bits_are_corrected():
    code = RandomCode(4, 60, seed=0)
    correctable = (code.minimum_distance - 1) // 2
    assert correctable >= 5
    rng = np.random.default_rng(0)
    received = code.codebook.astype(np.float32)
    for row in received:
        flipped = rng.choice(60, correctable, replace=False)
        row[flipped] = 1 - row[flipped]
    decoded = code.soft_decode(4.0 * (2 * received - 1)) > 0
    np.testing.assert_array_equal(decoded, all_words(4) == 1)


def test_marginals_of_any_distribution_over_words():
    log_p = np.random.default_rng(0).normal(0, 2, [2, 3, 16])
    p = np.exp(log_p)
    expected = np.log(p @ all_words(4)) - np.log(p @ (1 - all_words(4)))
    np.testing.assert_allclose(information_marginals(tf.constant(log_p), 4), expected, rtol=1e-9)


def test_graph_and_xla_equal_eager():
    logits = tf.constant(np.random.default_rng(0).normal(0, 2, [4, 10]), tf.float32)
    expected = CODE.soft_encode(CODE.soft_decode(logits))
    for xla in (False, True):
        function = tf.function(lambda x: CODE.soft_encode(CODE.soft_decode(x)), jit_compile=xla)
        np.testing.assert_allclose(function(logits), expected, rtol=1e-4, atol=1e-5)


def test_build_and_configuration():
    code = codes.RandomCodeSettings(information_bits=3, code_bits=10, seed=1).build()
    assert code == CODE == RandomCode.from_config(CODE.get_config()) and code != RandomCode(3, 10, seed=2)
    assert code.rate == 0.3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((13, 100), "at most 12, got 13"),
        ((3, 10, -1), "seed must be an integer"),
        ((3, 10, 1.5), "seed must be an integer"),
        ((4, 3), "two equal codewords of 3 bits; choose another seed"),
        ((0, 3), "information_bits must be a positive integer"),
    ],
)
def test_impossible_codes(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomCode(*arguments)


def test_codebooks_that_are_too_large():
    with pytest.raises(ValueError, match="has 2.20 codewords"):
        _ = codes.Uncoded(20).codebook
