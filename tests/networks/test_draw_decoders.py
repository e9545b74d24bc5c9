"""PlainDrawDecoder and ALVDecoder: A1 to A5."""

import numpy as np
import pytest
import tensorflow as tf
from trained import as_trained

from tfcoded.networks import ALVDecoder, PlainDrawDecoder

SEED = tf.constant([1, 2])
SHAPE = (8, 8, 1)
ARGUMENTS = {"symbols": 4, "steps": 2, "hidden": 4, "condition": 3, "image_shape": SHAPE}
Z = tf.random.stateless_normal([2, 4], [0, 1])
X = tf.random.stateless_uniform([2, *SHAPE], [0, 2])
EPS_SHAPE = [2, 2, 2, 2, 2]  # batch, steps, grid, latents


def _trained(layer):
    layer.build(None)
    return as_trained(layer)


def _alv(prior="conditional", **options):
    return _trained(ALVDecoder(**ARGUMENTS, latents=2, prior=prior, **options))


def test_without_latent_variables_it_is_the_plain_decoder():
    """A1: latent variables 0 and the same weights."""
    alv, plain = _alv("unconditional"), _trained(PlainDrawDecoder(**ARGUMENTS))
    plain.conditioning.set_weights(alv.conditioning.get_weights())
    kernel, bias = alv.cell.gates.get_weights()
    # The rows of c, of v and of the state: without those of v.
    plain.cell.gates.set_weights([np.delete(kernel, [3, 4], axis=2), bias])
    for ours, theirs in zip(plain.up, alv.up):
        ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(alv(Z, eps=tf.zeros(EPS_SHAPE)), plain(Z), atol=1e-5)
    assert np.abs(alv(Z, SEED) - plain(Z)).max() > 0.05


@pytest.mark.parametrize("prior", ["conditional", "unconditional"])
def test_divergence_of_every_step(prior):
    """A2: never negative, and the mean of the log-ratios of what is drawn, within 4.5 standard errors."""
    decoder = _alv(prior)
    copies = 1000
    z, x = (tf.repeat(tensor, copies, axis=0) for tensor in (Z, X))
    explained = tf.function(decoder.posterior, autograph=False)(z, x, SEED)
    assert np.all(explained["kl"] > 0)
    assert explained["kl"].shape == explained["log_ratio"].shape == (2 * copies, 2)
    # The divergence of step 2 depends on what was drawn in step 1: the mean of the differences is 0.
    differences = np.reshape(explained["log_ratio"] - explained["kl"], [2, copies, 2])
    for difference in differences.swapaxes(1, 2).reshape(4, -1):
        assert np.std(difference) > 0.01
        assert abs(np.mean(difference)) < 4.5 * np.std(difference) / copies**0.5


def test_divergence_is_zero_where_the_posterior_is_the_prior():
    decoder = _alv("unconditional")
    decoder.posterior_head.set_weights([0 * weight for weight in decoder.posterior_head.get_weights()])
    explained = decoder.posterior(Z, X, SEED)
    np.testing.assert_allclose(explained["kl"], np.zeros([2, 2]), atol=1e-6)  # the floor of the spread: 1e-8 each
    np.testing.assert_allclose(explained["images"], decoder(Z, SEED), atol=2e-3)


def test_the_test_path_has_no_part_in_the_posterior():
    """A3: with other weights in the posterior its divergence changes, what the decoder paints does not."""
    decoder = _alv()
    painted, before = decoder(Z, SEED), decoder.posterior(Z, X, SEED)
    names = {id(variable) for variable in decoder.posterior_variables}
    assert len(names) == 2 * 2 + 2 + 2
    rng = np.random.default_rng(1)
    for variable in decoder.posterior_variables:
        variable.assign(rng.normal(size=variable.shape))
    np.testing.assert_array_equal(decoder(Z, SEED), painted)
    assert np.all(decoder.posterior(Z, X, SEED)["kl"] != before["kl"])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(decoder(Z, SEED)))
    for variable, gradient in zip(decoder.trainable_variables, tape.gradient(loss, decoder.trainable_variables)):
        assert (gradient is None) == (id(variable) in names), variable.path


@pytest.mark.parametrize("prior", ["conditional", "unconditional"])
def test_two_draws_differ(prior):
    """A4: of the auxiliary latent variables; the plain decoder has nothing to draw."""
    decoder, plain = _alv(prior), _trained(PlainDrawDecoder(**ARGUMENTS))
    assert np.abs(decoder(Z, SEED) - decoder(Z, tf.constant([3, 4]))).max() > 0.01
    np.testing.assert_array_equal(plain(Z), plain(Z))
    doubled = decoder(tf.repeat(Z, 2, axis=0), SEED)
    assert np.abs(doubled[0] - doubled[1]).max() > 0.01  # nor do images of one batch share noise


def test_several_samples_give_a_tighter_bound():
    """A5: IWAE of 50 samples >= ELBO with divergences in closed form, far beyond the errors of both."""
    decoder, copies = _alv(), 50
    z, x = (tf.repeat(tensor, 20 * copies, axis=0) for tensor in (Z, X))
    explained = tf.function(decoder.posterior, autograph=False)(z, x, SEED)
    pixels = -tf.reduce_sum((x - explained["images"]) ** 2, axis=[1, 2, 3]) / (2 * 0.3**2)
    elbo = (pixels - tf.reduce_sum(explained["kl"], axis=1)).numpy().reshape(2, 20, copies)
    weights = tf.reshape(pixels - tf.reduce_sum(explained["log_ratio"], axis=1), [2, 20, copies])
    iwae = (tf.reduce_logsumexp(weights, axis=-1) - np.log(copies)).numpy()
    for bound, several in zip(elbo, iwae):
        errors = np.hypot(np.std(bound) / bound.size**0.5, np.std(several) / several.size**0.5)
        assert np.mean(several) - np.mean(bound) > 4.5 * errors


def test_the_conditional_prior_sees_the_symbols_and_the_state():
    """From the first step on, where the state says nothing yet; the literal prior sees neither."""
    decoder = _alv()
    c, states, _ = decoder._start(Z)
    mean, _ = decoder._prior_law(states[0], c)
    assert np.abs(mean[0] - mean[1]).max() > 1e-3
    assert np.abs(decoder._prior_law(states[0] + 1, c)[0] - mean).max() > 1e-3
    mean, std = _alv("unconditional")._prior_law(states[0], c)
    np.testing.assert_array_equal(mean, np.zeros([2, 2, 2, 2]))
    np.testing.assert_array_equal(std, np.ones([2, 2, 2, 2]))


def test_the_prior_starts_as_the_unconditional_one():
    decoder = ALVDecoder(**ARGUMENTS, latents=2)
    eps = tf.random.stateless_normal(EPS_SHAPE, [0, 5])
    literal = ALVDecoder(**ARGUMENTS, latents=2, prior="unconditional")
    np.testing.assert_allclose(decoder(Z, eps=eps), literal(Z, eps=eps), atol=1e-3)  # spread 1.0001


def test_the_posterior_looks_at_what_is_missing():
    """Its second step knows what the first one painted: `up`'s bias changes nothing else that it sees."""
    decoder = _alv("unconditional")
    before = decoder.posterior(Z, X, SEED)["kl"].numpy()
    decoder.up[1].bias.assign_add([1.0])
    after = decoder.posterior(Z, X, SEED)["kl"].numpy()
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert np.all(np.abs(after[:, 1] - before[:, 1]) > 1e-3)


def test_every_step_adds_to_the_canvas():
    """The image of K steps is that of K - 1 and one more, added to what is there."""
    decoder = _trained(PlainDrawDecoder(**ARGUMENTS))
    longer = PlainDrawDecoder(**{**ARGUMENTS, "steps": 3})
    longer.build(None)
    longer.set_weights(decoder.get_weights())
    c, states, canvas = longer._start(Z)
    np.testing.assert_array_equal(canvas, np.zeros([2, *SHAPE]))
    images = []
    for _ in range(3):
        states, canvas = longer._paint([c], states, canvas)
        images.append(canvas.numpy())
    np.testing.assert_allclose(decoder(Z), images[1], atol=1e-6)
    np.testing.assert_allclose(longer(Z), images[2], atol=1e-6)
    assert np.abs(images[2] - images[1]).max() > 1e-2
    one_more, shifted = (longer._paint([c], states, canvas + offset)[1] for offset in (0.0, 1.0))
    np.testing.assert_allclose(shifted - one_more, np.ones([2, *SHAPE]), atol=1e-5)


def test_impossible_arguments():
    with pytest.raises(ValueError, match="prior must be 'conditional' or 'unconditional', got 'none'"):
        ALVDecoder(4, prior="none")
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        PlainDrawDecoder(4, steps=0)
    with pytest.raises(ValueError, match="pass seed= .int32 .2.., or the noise as eps="):
        _alv()(Z)
