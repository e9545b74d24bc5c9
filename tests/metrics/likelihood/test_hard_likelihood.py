import numpy as np
import pytest
import toy_codec

from tfcoded import codes
from tfcoded.metrics.likelihood.hard_likelihood import hard_log_likelihood, hard_log_weights


def test_it_is_the_likelihood_of_uniform_codewords():
    x = np.array([0.6, 2.4, 3.0, 5.1], np.float32).reshape(-1, 1, 1, 1)
    codec = toy_codec.ToyCodec(6, 2)
    measured = hard_log_likelihood(codec, toy_codec.repetition(2, 6), x, draws=20_000, batch_size=20_000)
    words = toy_codec.hard_words(codes.Repetition(2, 6).codebook)
    exact = [toy_codec.exact(value, words) for value in x.ravel()]
    # Standard deviations, over 20 seeds: at most 0.0045. Five of them, two-sided: false failure 2e-6.
    np.testing.assert_allclose(measured, exact, atol=0.0225)


def test_batches_are_an_implementation_detail():
    x = np.linspace(0, 6, 5, dtype=np.float32).reshape(-1, 1, 1, 1)
    codec, settings = toy_codec.ToyCodec(6, 2), toy_codec.repetition(2, 6)
    whole = hard_log_likelihood(codec, settings, x)
    np.testing.assert_allclose(hard_log_likelihood(codec, settings, x, batch_size=5), whole, rtol=1e-12)
    of_draws = hard_log_weights(codec, settings, x, batch_size=5)  # four words, so that batches end within a draw
    assert of_draws.shape == (5, 4)
    np.testing.assert_allclose(of_draws, hard_log_weights(codec, settings, x, batch_size=4), rtol=1e-12)
    assert np.abs(hard_log_likelihood(codec, settings, x, seed=1) - whole).max() > 1e-3


def test_too_many_words_are_refused():
    with pytest.raises(ValueError, match="11"):
        hard_log_likelihood(
            toy_codec.ToyCodec(11, 11), toy_codec.repetition(11, 11), np.zeros([1, 1, 1, 1], np.float32)
        )
