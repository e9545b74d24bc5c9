"""Estimators on a toy model whose likelihood and gradients are known exactly, in float64.

Means over replicates are compared with 5 standard errors of their difference: each comparison of n numbers fails falsely
with a probability below 6e-7 n.
"""

import numpy as np
import pytest
import tensorflow as tf

from toy import Toy

from tfcoded import codes, objectives
from tfcoded.codes.codebook import all_words
from tfcoded.distributions import SmoothedBernoulli
from tfcoded.models import BitPosterior, Elbo, ImportanceWeighted, LeaveOneOut, WordPosterior

IMAGE = np.array([0.4, 1.1])
TWO_BITS = codes.Uncoded(2)


def images(count):
    return tf.constant(np.tile(IMAGE, [count, 1]))


def values(estimator, model, name, replicates=20_000, seed=(0, 1)):
    """A term of `replicates` independent runs."""
    return estimator(model, images(replicates), list(seed))[name].numpy()


def gradients(estimator, model, replicates=4000, seed=(0, 1)):
    """Gradients of the loss in the code logits and in A, one per replicate: `[replicates, D]`, `[replicates, 2 D]`."""

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            # One copy of the parameters per replicate, so that one pass gives every replicate's own gradient.
            logits = tf.broadcast_to(tf.convert_to_tensor(model.code_logits), [replicates, model.code.code_bits])
            a = tf.broadcast_to(tf.convert_to_tensor(model.a), [replicates, *model.a.shape])
            tape.watch([logits, a])
            copy = PerReplicate(model, logits, a)
            loss = tf.reduce_sum(estimator(copy, images(replicates), list(seed))["loss"])
        return tape.gradient(loss, [logits, a], unconnected_gradients=tf.UnconnectedGradients.ZERO)

    encoder, decoder = compute()
    return encoder.numpy(), decoder.numpy().reshape(replicates, -1)


class PerReplicate(Toy):
    """A toy whose parameters have a leading axis of replicates."""

    def __init__(self, model, logits, a):
        self.__dict__.update(model.__dict__)
        self.code_logits, self.a = logits, a

    def posterior(self, images):
        return self._posterior(self.code, self.code_logits)


def assert_same_mean(x, y):
    error = np.sqrt(x.var(0) / len(x) + (y.var(0) / len(y) if y.ndim == x.ndim else 0))
    mean = y.mean(0) if y.ndim == x.ndim else y
    assert (np.abs(x.mean(0) - mean) < 5 * error + 1e-9).all(), (x.mean(0), mean, error)


def test_bounds_are_ordered_and_below_the_likelihood():
    """S7, at a beta so small that smoothing loses much of a bit: the ELBO over bits then is clearly below that over z."""
    model = Toy(TWO_BITS, beta=3.0)
    exact = model.log_evidence(IMAGE)
    elbo = values(Elbo(), model, "elbo")
    iwae = {samples: values(ImportanceWeighted(samples), model, "iwae") for samples in (1, 2, 8, 64)}
    vr = {alpha: values(ImportanceWeighted(8, alpha), model, "vr_iwae") for alpha in (0.25, 0.5, 1.0)}
    gain = iwae[1] - elbo  # with the same z
    assert gain.mean() > 5 * gain.std() / len(gain) ** 0.5
    ascending = list(iwae.values())
    for low, high in zip(ascending, ascending[1:]):
        assert high.mean() - low.mean() > 5 * np.sqrt(low.var() / len(low) + high.var() / len(high))
    descending = [iwae[8], *vr.values()]
    for high, low in zip(descending, descending[1:]):
        assert (high >= low).all()  # sample by sample: the noise is the same
        assert high.mean() > low.mean()
    assert_same_mean(vr[1.0], iwae[1])
    gap = exact - iwae[64].mean()
    assert -5 * iwae[64].std() / 20_000**0.5 < gap < 0.02


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_bound_is_reported_and_not_the_surrogate(alpha):
    """S11: the weighted mean of log-weights, the loss of the doubly reparameterized estimator, lies above the bound."""
    terms = ImportanceWeighted(8, alpha, doubly_reparameterized=True)(Toy(TWO_BITS), images(50), [0, 1])
    plain = ImportanceWeighted(8, alpha)(Toy(TWO_BITS), images(50), [0, 1])
    name = "vr_iwae" if alpha else "iwae"
    np.testing.assert_allclose(terms[name], plain[name], rtol=1e-12)
    np.testing.assert_allclose(plain["loss"], -plain[name], rtol=1e-12)
    flattery = (-terms["loss"] - terms[name]).numpy()
    assert (flattery > -1e-12).all() and (np.mean(flattery) > 1e-3) == (alpha < 1)


@pytest.mark.parametrize("code", [TWO_BITS, codes.Repetition(2, 6)], ids=repr)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_doubly_reparameterized_gradient(alpha, code):
    """S8: the mean of the reparameterized gradient, with no more variance in the encoder."""
    model = Toy(code, deviation=0.4)
    once, decoder = gradients(ImportanceWeighted(5, alpha), model, 20_000)
    twice, same_decoder = gradients(ImportanceWeighted(5, alpha, True), model, 20_000, seed=(7, 8))
    assert_same_mean(once, twice)
    assert_same_mean(decoder, same_decoder)
    assert np.abs(twice.mean(0)).max() > 10 * twice.std(0).max() / 20_000**0.5  # there is a gradient to compare
    # Measured ratios: 0.54 and 0.58 uncoded, 0.78 and 0.76 with the code, and 1.00 and 0.95 for alpha = 1; their standard
    # error is below 3%.
    ratio = twice.var(0).sum() / once.var(0).sum()
    assert 0.4 < ratio < (0.88 if alpha < 1 else 1.12)


class Matched(Toy):
    """A likelihood that makes the smoothed posterior at `code_logits` exact."""

    def log_likelihood(self, images, z):
        exact = SmoothedBernoulli(tf.stop_gradient(tf.convert_to_tensor(self.code_logits)), self.beta)
        prior = SmoothedBernoulli(tf.zeros([], tf.float64), self.beta)
        return tf.reduce_sum(exact.log_prob(z) - prior.log_prob(z), axis=-1)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_no_noise_at_the_exact_posterior(alpha):
    """S8: there every weight is p(x), and the doubly reparameterized gradient is zero for every sample."""
    norms = {}
    for double in (True, False):
        model = Matched(codes.Uncoded(3))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(ImportanceWeighted(5, alpha, double)(model, images(20), [0, 1])["loss"])
        norms[double] = np.abs(tape.gradient(loss, model.code_logits)).max()
    assert norms[True] < 1e-12 and norms[False] > 1e-3


def exact_gradients(model):
    """Gradients of the negative ELBO over codewords, by enumeration and closed forms."""
    with tf.GradientTape() as tape:
        posterior = model.posterior(images(1))
        q = tf.exp(posterior.log_probabilities[0])
        words = all_words(model.code.information_bits)
        reconstruction = tf.reduce_sum(q * model.expected_log_likelihood(IMAGE, words))
        loss = posterior.kl_branches()[0, 0] - reconstruction
    encoder, decoder = tape.gradient(loss, [model.code_logits, model.a])
    return encoder.numpy(), decoder.numpy().reshape(-1), float(-loss)


CODEBOOKS = [codes.RandomCode(3, 6, seed=2), codes.Repetition(3, 6), codes.Hierarchical((2, 1), (2, 2))]


@pytest.mark.parametrize("exact_kl", [True, False])
@pytest.mark.parametrize("code", CODEBOOKS, ids=repr)
def test_leave_one_out_is_unbiased(code, exact_kl):
    """S9, with the smoothing integrated in closed form."""
    model = Toy(code, WordPosterior)
    encoder, decoder, elbo = exact_gradients(model)
    estimate = gradients(LeaveOneOut(4, exact_kl), model, 20_000)
    assert_same_mean(estimate[0], encoder)
    assert_same_mean(estimate[1], decoder)
    assert np.abs(encoder).max() > 10 * estimate[0].std(0).max() / 20_000**0.5
    assert_same_mean(values(LeaveOneOut(4, exact_kl), model, "elbo"), np.array(elbo))


def descend(model, steps=300, rate=0.1):
    """Brings the posterior to its optimum by exact gradients."""
    for _ in range(steps):
        model.code_logits.assign_sub(rate * exact_gradients(model)[0])


@pytest.mark.parametrize("near_the_optimum", [False, True])
def test_which_divergence_has_less_variance(near_the_optimum):
    """Measured: the exact one far from the optimum, the drawn one at it.

    There log q(c) follows log p(x, c), so that f with a drawn divergence is nearly constant and its noise cancels, while
    that of the reconstruction alone does not. Standard errors of the sums of variances are about 3%.
    """
    model = Toy(CODEBOOKS[0], WordPosterior, beta=40.0, deviation=2.0)
    if near_the_optimum:
        descend(model)
    else:
        model.code_logits.assign(-2.0 * model.code_logits)
    exact, _ = gradients(LeaveOneOut(4, True), model, 20_000)
    drawn, _ = gradients(LeaveOneOut(4, False), model, 20_000)
    ratio = exact.var(0).sum() / drawn.var(0).sum()
    assert (ratio > 1.5) if near_the_optimum else (ratio < 0.67)


def test_more_samples_of_the_elbo_have_less_variance_and_the_same_mean():
    model = Toy(codes.Repetition(2, 4))
    one, _ = gradients(Elbo(1), model)
    ten, _ = gradients(Elbo(10), model)
    assert_same_mean(one, ten)
    # A tenth; the standard errors of the variances are a few percent.
    assert 0.07 < ten.var(0).sum() / one.var(0).sum() < 0.14


def test_codeword_level_elbo_equals_the_bit_level_one_for_a_repetition_code():
    """S10: same posterior, same divergence, and the same expected reconstruction."""
    code = codes.Repetition(2, 4)
    bits = Elbo()(Toy(code, BitPosterior), images(20_000), [0, 1])
    words = LeaveOneOut(2)(Toy(code, WordPosterior), images(20_000), [0, 1])
    np.testing.assert_allclose(bits["kl"], words["kl"], rtol=1e-9)
    # Bit-level smoothing mixes each copy on its own (soft encoding), codeword-level all copies together: the means of
    # z agree, so that a linear function of z has the same expectation.
    mean = [np.asarray(z).reshape(-1, 4).mean(0) for z in (
        Toy(code).posterior(images(20_000)).latents(8.0, [0, 1]),
        Toy(code, WordPosterior).posterior(images(20_000)).latents(8.0, [0, 1]),
    )]
    np.testing.assert_allclose(mean[0], mean[1], atol=5 * 0.5 / 20_000**0.5 * 2**0.5)


def test_surrogates_use_the_estimators_of_objectives():
    """The value of the importance-weighted bound from its parts, drawn with the same seed."""
    model = Toy(TWO_BITS)
    logits = model.posterior(images(3)).logits
    z = SmoothedBernoulli(logits, model.beta).sample(6, seed=[4, 5])
    log_ratio = SmoothedBernoulli(tf.zeros([], tf.float64), 8.0).log_prob(z) - SmoothedBernoulli(logits, 8.0).log_prob(z)
    log_weights = model.log_likelihood(images(3), z) + tf.reduce_sum(log_ratio, -1)
    expected = objectives.vr_iwae(log_weights, 0.5)
    terms = ImportanceWeighted(6, 0.5)(model, images(3), [4, 5])
    np.testing.assert_allclose(terms["vr_iwae"], expected, rtol=1e-12)
    np.testing.assert_allclose(terms["elbo"], terms["reconstruction"] - terms["kl"], rtol=1e-12)
