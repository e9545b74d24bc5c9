"""BandDrawPrior: P1 to P3, what it draws, and its place in a channel."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from trained import as_trained

from tfcoded.channels import BandwidthLimitedChannel, GaussianChannel, GaussianPrior
from tfcoded.distributions import normal_kl, standard_normal
from tfcoded.networks import BandDrawPrior

SEED = tf.constant([1, 2])
Z = tf.random.stateless_normal([3, 4, 8], [0, 1])
KEEP = tf.constant([[True, True, False, False], [False] * 4, [True, False, True, False]])

forms = pytest.mark.parametrize("form", ["recurrent", "spatial"])


def _built(form, bands=4, symbols=8, **options):
    prior = BandDrawPrior(6, form, **options)
    prior.build((None, bands, symbols))
    return prior


def _trained(form):
    return as_trained(_built(form), 0.3)


def _likelihood(prior, z):
    """Log-density of every symbol but for `log sqrt(2 pi)`."""
    mean, log_std = prior.dist_params(z)
    return -0.5 * tf.square((z - mean) * tf.exp(-log_std)) - log_std


@forms
def test_starts_as_the_gaussian_prior(form):
    """P1: laws, densities and draws."""
    prior, gaussian = _built(form), GaussianPrior()
    for ours, theirs in zip(prior.dist_params(Z), gaussian.dist_params(Z)):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(_likelihood(prior, Z), -0.5 * Z**2, rtol=1e-6)
    np.testing.assert_array_equal(prior.sample(Z, KEEP, SEED), gaussian.sample(Z, KEEP, SEED))


@forms
def test_causal(form):
    """P2: the law of band t has gradient 0 for bands t and later, and not for the earlier ones."""
    prior = _trained(form)
    for t in range(4):
        for index in (0, 1):
            with tf.GradientTape() as tape:
                tape.watch(Z)
                value = tf.reduce_sum(tf.sin(prior.dist_params(Z)[index][:, t]))
            gradient = tape.gradient(value, Z, unconnected_gradients="zero").numpy()
            np.testing.assert_array_equal(gradient[:, t:], np.zeros([3, 4 - t, 8]))
            assert np.all(np.abs(gradient[:, :t]) > 0)


@forms
def test_draws_have_the_law_given_what_was_received_or_drawn(form):
    """Every draw is its mean and spread applied to the noise, in the codeword completed by the draws."""
    prior = _trained(form)
    draws = prior.sample(Z, KEEP, SEED)
    completed = tf.where(KEEP[..., tf.newaxis], Z, draws)
    mean, log_std = prior.dist_params(completed)
    np.testing.assert_allclose(draws, mean + tf.exp(log_std) * standard_normal(Z, SEED), atol=1e-5)
    unseen = tf.where(KEEP[..., tf.newaxis], Z, 1e3)
    np.testing.assert_array_equal(prior.sample(unseen, KEEP, SEED), draws)


@forms
def test_shapes_and_dtypes(form):
    """Further batch axes, and float64 symbols around float32 networks."""
    prior = _trained(form)
    stacked = tf.cast(tf.stack([Z, 2 * Z]), tf.float64)
    for half, factor in enumerate((1.0, 2.0)):
        for ours, expected in zip(prior.dist_params(stacked), prior.dist_params(factor * Z)):
            assert ours.dtype == tf.float64
            np.testing.assert_allclose(ours[half], expected, atol=1e-6)
    assert prior.sample(stacked, tf.stack([KEEP, KEEP]), SEED).dtype == tf.float64


def test_log_std_is_clipped():
    prior = _built("recurrent")
    prior.head.bias.assign([0.0] * 8 + [-9.0] * 4 + [9.0] * 4)
    np.testing.assert_array_equal(prior.dist_params(Z)[1], np.tile([-5.0] * 4 + [2.0] * 4, [3, 4, 1]))


def test_impossible_arguments():
    with pytest.raises(ValueError, match="form must be 'recurrent' or 'spatial', got 'dense'"):
        BandDrawPrior(form="dense")
    with pytest.raises(ValueError, match="multiple of 4 symbols, got 6"):
        _built("spatial", symbols=6)
    with pytest.raises(ValueError, match="codeword must be .*bands, symbols"):
        BandDrawPrior().build((None, None, 8))
    with pytest.raises(ValueError, match="built for codewords"):
        _built("recurrent").dist_params(tf.zeros([3, 8, 4]))


@forms
def test_learns_an_autoregressive_code(form):
    """P3: bands z_t = r z_{t-1} + sqrt(1 - r^2) noise. NLL within 2% of the exact one, on the same data."""
    r, steps, batch = 0.8, 200, 256
    count = (steps + 10) * batch
    noise = standard_normal(tf.zeros([count, 3, 4]), SEED)
    z = [noise[:, 0]]
    for t in (1, 2):
        z.append(r * z[-1] + (1 - r**2) ** 0.5 * noise[:, t])
    z = tf.stack(z, axis=1)
    prior = BandDrawPrior(16, form, seed=1)
    prior.build((None, 3, 4))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-2, steps))
    optimizer.build(prior.trainable_variables)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(_likelihood(prior, batch))
        gradients = tape.gradient(loss, prior.trainable_variables)
        optimizer.apply_gradients(zip(gradients, prior.trainable_variables))

    for i in range(steps):
        step(z[batch * i : batch * (i + 1)])
    test, noise = z[batch * steps :], noise[batch * steps :]
    constant = 0.5 * np.log(2 * np.pi)
    reached = constant - np.mean(_likelihood(prior, test)[:, 1:])
    exact = 0.5 * np.log(2 * np.pi * np.e * (1 - r**2))
    # The entropy is what the true law reaches in the mean: here within 4.5 standard errors.
    sampled = constant + np.mean(noise[:, 1:] ** 2) / 2 + 0.5 * np.log(1 - r**2)
    assert abs(sampled - exact) < 4.5 * 0.5**0.5 / np.sqrt(test.shape[0] * 8)
    assert -0.002 < reached - sampled < 0.02 * exact, f"{reached} nats per symbol, {sampled} is possible"
    assert reached < constant + np.mean(test[:, 1:] ** 2) / 2


@forms
def test_in_a_bandwidth_limited_channel(form):
    """B7: the filler depends on the bands received and on no others. Configurations keep the prior."""
    prior = _trained(form)
    channel = BandwidthLimitedChannel(GaussianChannel(1.0, "none"), bands=4, prior=prior, filler_grad=True)
    y = tf.reshape(Z, [3, 32])
    with tf.GradientTape() as tape:
        tape.watch(y)
        z = channel(y, seed=SEED, bands=2)["z"]
        value = tf.reduce_sum(tf.sin(z[:, 16:]))
    gradient = tape.gradient(value, y).numpy()
    assert np.all(gradient[:, :16] != 0)
    np.testing.assert_array_equal(gradient[:, 16:], np.zeros([3, 16]))
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(channel))
    copy.build((None, 32))
    copy.prior.set_weights(prior.get_weights())
    np.testing.assert_array_equal(copy(y, seed=SEED, bands=2)["z"], z)


def test_learns_by_the_divergence():
    """The gradient of the rate reaches every weight, through what was received."""
    prior = _trained("recurrent")
    channel = BandwidthLimitedChannel(GaussianChannel(1.0), bands=4, prior=prior)
    sent = channel(tf.reshape(Z, [3, 32]), tf.zeros([3, 32]), seed=SEED, training=True)
    mu, sig, received = (tf.reshape(sent[name], [3, 4, 8]) for name in ("mu", "sig", "received"))
    with tf.GradientTape() as tape:
        rate = tf.reduce_sum(normal_kl(mu, tf.math.log(sig), *prior.dist_params(received)))
    assert rate > 0
    for gradient in tape.gradient(rate, prior.trainable_variables):
        assert np.any(gradient != 0)
