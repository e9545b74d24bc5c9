import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_systems import (
    BANDS,
    SEED,
    SHAPE,
    STEP,
    SYMBOLS,
    LinearDecoder,
    LinearEncoder,
    ZeroFiller,
    gradients,
    images,
    joint,
    linear_joint,
)
from trained import as_trained

from tfcoded.channels import BandwidthLimitedChannel, BinarySymmetricChannel, GaussianChannel, source_rate
from tfcoded.distributions import normal_kl, standard_normal
from tfcoded.models import AdamL2, JointModel
from tfcoded.networks import BandDrawPrior
from tfcoded.runs.checkpoints import Checkpoints
from tfcoded.utils import seeds

PIXELS = math.prod(SHAPE)
KINDS = {
    "draw": {"decoder": "draw", "prior": "draw", "prior_space": "z"},
    "elbo": {"objective": "elbo", "prior": "draw"},
    "elbo_alv_mc": {"objective": "elbo", "decoder": "alv", "channel": {"marginalise": "mc", "reveal_bands": True}},
}


def point_mass(b):
    return [float(b == i) for i in range(BANDS + 1)]


def test_without_a_price_of_the_rate_the_loss_is_the_squared_error():
    """V7, exact; and the squared error is that of what comes out of the channel, averaged over the bandwidths."""
    model = linear_joint()
    terms = model.training_terms(images(), SEED)
    np.testing.assert_array_equal(terms["loss"], terms["sse"])
    np.testing.assert_allclose(terms["mse"], terms["sse"] / PIXELS, rtol=1e-6)
    x = images() / np.float32(255)
    sent = model.channel(*model.encoder(x), seed=seeds.derive(SEED, 10))
    by_hand = 0
    for b in range(BANDS):  # bandwidths 1 .. 4, one after the other on the first axis
        z = sent["z"][4 * b : 4 * b + 4].numpy()
        out = (z @ model.decoder.kernel.numpy()).reshape(x.shape)
        by_hand += ((out - x) ** 2).sum((1, 2, 3)) / BANDS
    np.testing.assert_allclose(terms["sse"], by_hand, rtol=1e-5)
    priced = linear_joint(options={"beta": 0.7}).training_terms(images(), SEED)
    np.testing.assert_allclose(priced["loss"], priced["sse"] + 0.7 * math.log(2) * priced["rate"], rtol=1e-6)
    np.testing.assert_array_equal(priced["sse"], terms["sse"])


def test_rate_is_the_divergence_from_the_prior_given_what_was_received():
    for space in ("y", "z"):
        model = linear_joint(as_trained_prior(), options={"prior_space": space})
        sent = model.send(images(), SEED)
        mean, log_std = model.prior.dist_params(tf.reshape(sent["z"], [4, BANDS, 2]))
        std = sent["sig"] if space == "y" else tf.sqrt(sent["sig"] ** 2 + 1.0)
        kl = normal_kl(sent["mu"], tf.math.log(std), tf.reshape(mean, [4, 8]), tf.reshape(log_std, [4, 8]))
        rates = model.rates(images(), SEED)
        np.testing.assert_allclose(rates["rate"], tf.reduce_sum(kl, -1) / math.log(2), rtol=1e-5)
        np.testing.assert_allclose(rates["source_rate"], source_rate(sent), rtol=1e-6)
        assert set(rates) == {"rate", "source_rate", "transmission_rate"}
        sent = model.channel(*model.encoder(images() / np.float32(255)), seed=seeds.derive(SEED, 10))
        nats = tf.reduce_sum(model.divergences(sent, sent["received"]), -1)
        rate = model.training_terms(images(), SEED)["rate"]
        np.testing.assert_allclose(rate, nats / math.log(2), rtol=1e-5)


def test_rates_are_given_where_they_are_bounds():
    for power, names in (("codeword", {"rate", "transmission_rate"}), ("element", {"rate"})):
        gaussian = GaussianChannel(1.0, power=power, bands=BANDS if power == "codeword" else 1, name="gaussian")
        channel = BandwidthLimitedChannel(gaussian, bands=BANDS, name="channel")
        model = JointModel(LinearEncoder(name="encoder"), channel, LinearDecoder(name="decoder"))
        assert set(model.rates(images(), SEED)) == names


def as_trained_prior():
    prior = BandDrawPrior(3, name="prior")
    prior.build((None, BANDS, 2))
    return as_trained(prior, 0.5)


def test_source_rate_is_below_the_transmission_rate():
    """V4, in the mean: symbols of unit power carry at most the capacity, 1/2 bit each."""
    model = linear_joint()
    x = images(2000)
    for _ in range(2):
        model.training_terms(x, SEED, STEP)  # now the running power is that of these images
    rates = {name: float(tf.reduce_mean(value)) for name, value in model.rates(x, SEED).items()}
    # Standard error of the transmission rate: 8 symbols, variance 2 of y^2 at most, 2000 words: 0.023 bits.
    assert rates["transmission_rate"] == pytest.approx(SYMBOLS / 2, abs=0.1)
    assert 0 < rates["source_rate"] < rates["transmission_rate"]


def test_complete_marginalisation_is_the_mean_over_the_bandwidths():
    """B3: values and gradients of the complete loss are the means of those at every bandwidth."""
    probabilities = [0.0, 0.1, 0.2, 0.3, 0.4]
    options = {"beta": 0.1}
    whole = linear_joint(ZeroFiller(), probabilities=probabilities, options=options)
    expected_loss, expected = 0.0, 0.0
    for b, probability in enumerate(probabilities):
        part = linear_joint(ZeroFiller(), probabilities=point_mass(b), marginalise="mc", options=options)
        loss = part.training_terms(images(), SEED)["loss"]
        of_part = gradients(lambda part=part: part.training_terms(images(), SEED)["loss"], part.trainable_weights)
        expected_loss += probability * loss.numpy()
        expected += probability * np.concatenate([np.ravel(g) for g in of_part])
    np.testing.assert_allclose(whole.training_terms(images(), SEED)["loss"], expected_loss, rtol=1e-6)
    computed = gradients(lambda: whole.training_terms(images(), SEED)["loss"], whole.trainable_weights)
    computed = np.concatenate([np.ravel(g) for g in computed])
    np.testing.assert_allclose(computed, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("received", [0, 1, 3])
def test_lost_bands_get_no_gradient_of_the_squared_error(received):
    """B2: exactly none, whatever fills them in."""
    model = linear_joint(as_trained_prior(), probabilities=point_mass(received))
    kernel = gradients(lambda: model.training_terms(images(), SEED)["sse"], [model.encoder.mean])[0].numpy()
    kernel = kernel.reshape(PIXELS, BANDS, -1)
    assert not kernel[:, received:].any()
    assert np.abs(kernel[:, :received]).max(initial=0) > 0 or received == 0


def test_filler_depends_on_what_was_received_and_on_nothing_else():
    """B7: what a receiver makes of lost bands is a function of the others, bit for bit."""
    model = linear_joint(as_trained_prior())
    symbols = model.corrupt(model.transmit(images(), SEED), SEED)
    out = model.receive(symbols, 2, SEED)
    garbage = tf.concat([symbols[:, :4], np.full([4, 4], np.nan, np.float32)], axis=1)
    np.testing.assert_array_equal(model.receive(garbage, 2, SEED), out)
    # Through the filler alone: the decoder looks at the last band, which was lost.
    model.decoder.kernel.assign(model.decoder.kernel * np.repeat([0.0, 1.0], [6, 2])[:, None])
    before = model.receive(symbols, 2, SEED)
    after = model.receive(symbols + np.eye(8, dtype=np.float32)[0], 2, SEED)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(model.receive(symbols + np.eye(8, dtype=np.float32)[5], 2, SEED), before)


def test_bandwidths_of_a_batch():
    model = linear_joint()
    symbols = model.transmit(images(), SEED)
    mixed = model.receive(symbols, tf.constant([0, 4, 2, 1]), SEED)
    for index, b in enumerate([0, 4, 2, 1]):
        np.testing.assert_allclose(mixed[index], model.receive(symbols, b, SEED)[index], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mixed[1], model.decoder(symbols)[1], rtol=1e-5, atol=1e-6)
    alone = linear_joint(bands=1)
    symbols = alone.transmit(images(), SEED)
    for bands in (0, 1, 7):  # one band always arrives
        np.testing.assert_array_equal(alone.receive(symbols, bands, SEED), alone.decoder(symbols))


def test_communication_is_the_three_parts_in_turn():
    model = joint("alv", "draw")
    out = model.communicate(images(), 2, SEED)
    sent = model.transmit(images(), seeds.derive(SEED, 2))
    arrived = model.corrupt(sent, seeds.derive(SEED, 3))
    np.testing.assert_array_equal(model.receive(arrived, 2, seeds.derive(SEED, 4)), out)
    assert out.shape == (4, *SHAPE) and sent.shape == arrived.shape == (4, SYMBOLS)
    noise = model.corrupt(np.zeros([4000, SYMBOLS], np.float32), SEED).numpy()
    assert noise.var() == pytest.approx(1, abs=4.5 * math.sqrt(2 / noise.size))  # at an SNR of 1


def test_training_uses_the_power_of_the_batch_and_leaves_its_average():
    model = linear_joint()
    power = model.channel.channel.power_sum
    model.training_terms(images(), SEED)
    assert not power.numpy().any()
    model.training_terms(images(), SEED, STEP)
    mu, log_sig = model.encoder(images() / np.float32(255))
    expected = tf.reduce_mean(mu**2 + tf.exp(2 * log_sig), 0)
    np.testing.assert_allclose(power / model.channel.channel.power_weight, expected, rtol=1e-5)
    sent = model.send(images(), SEED)
    np.testing.assert_allclose(tf.reduce_mean(sent["mu"] ** 2 + sent["sig"] ** 2, 0), np.ones(SYMBOLS), rtol=1e-5)


def test_warm_up():
    model = linear_joint(options={"beta": 2.0, "warm_up_steps": 10})
    for step, weight in ((0, 0.0), (5, 1.0), (10, 2.0), (400, 2.0), (None, 2.0)):
        terms = model.training_terms(images(), SEED, None if step is None else tf.constant(step, tf.int64))
        expected = terms["sse"] + weight * math.log(2) * terms["rate"]
        np.testing.assert_allclose(terms["loss"], expected, rtol=1e-6)


def test_images_are_mirrored_in_training_only():
    model = linear_joint(options={"flip": True})
    x = images(64) / np.float32(255)
    np.testing.assert_array_equal(model.inputs(x, SEED, None), x)
    mirrored = model.inputs(x, SEED, STEP).numpy()
    flipped = [np.array_equal(m, i[:, ::-1]) for m, i in zip(mirrored, x, strict=True)]
    kept = [np.array_equal(m, i) for m, i in zip(mirrored, x, strict=True)]
    assert np.logical_xor(flipped, kept).all()
    assert 14 <= sum(flipped) <= 50  # of 64 fair coins; outside: 4e-6
    np.testing.assert_array_equal(linear_joint().inputs(x, SEED, STEP), x)


def test_directional_derivative_equals_finite_differences():
    """Of the whole loss in the encoder's weights: power, noise, prior and divergence, everything smooth."""
    model = linear_joint(as_trained_prior(), filler_grad=True, options={"beta": 0.3})
    weights = model.trainable_weights
    rng = np.random.default_rng(1)
    direction = [rng.normal(size=w.shape).astype(np.float32) / math.sqrt(w.shape.num_elements()) for w in weights]

    def loss(size=0.0):
        for weight, value, d in zip(weights, start, direction, strict=True):
            weight.assign(value + size * d)
        return float(tf.reduce_mean(model.training_terms(images(), SEED, STEP)["loss"]))

    start = [w.numpy() for w in weights]
    slopes = gradients(lambda: model.training_terms(images(), SEED, STEP)["loss"], weights)
    slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(slopes, direction, strict=True))
    # In float32: rounding 1e-6 / 2e-2 and curvature 1e-4; the slope is of order 1.
    assert (loss(1e-2) - loss(-1e-2)) / 2e-2 == pytest.approx(slope, rel=5e-3)
    assert abs(slope) > 0.1


def test_alv_loss():
    model = joint("alv", "draw", beta=0.2, observation_std=0.1)
    terms = model.training_terms(images(), SEED, STEP)
    assert set(terms) == {"loss", "mse", "sse", "rate", "kl_v"}
    expected = terms["sse"] + 2 * 0.1**2 * terms["kl_v"] + 0.2 * math.log(2) * terms["rate"]
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-5)
    assert (terms["kl_v"].numpy() >= 0).all()


def test_alv_test_error_is_that_of_the_decoders_prior():
    """A3, A4: no posterior takes part in communication, nor in the error of a test step."""
    model = joint("alv")
    as_trained(model.decoder, 0.3)
    out = model.communicate(images(), 2, SEED)
    mse, loss = (model.training_terms(images(), SEED)[name].numpy() for name in ("mse", "loss"))
    as_trained_only(model.decoder.posterior_variables)
    np.testing.assert_array_equal(model.communicate(images(), 2, SEED), out)
    after = model.training_terms(images(), SEED)
    np.testing.assert_array_equal(after["mse"], mse)
    assert np.abs(after["loss"] - loss).max() > 1e-3
    symbols = model.transmit(images(), SEED)
    other = tf.constant([3, 4])
    assert np.abs(model.receive(symbols, BANDS, SEED) - model.receive(symbols, BANDS, other)).max() > 1e-3
    plain = joint("draw")
    np.testing.assert_array_equal(plain.receive(symbols, BANDS, SEED), plain.receive(symbols, BANDS, other))


def as_trained_only(variables):
    rng = np.random.default_rng(7)
    for variable in variables:
        variable.assign(variable + rng.normal(0, 0.5, variable.shape))


def test_elbo_without_a_channel_is_a_vae():
    """P(B = 0) = 1: the posterior of the lost bands is the encoder of a VAE, and nothing else has a part."""
    model = joint(objective="elbo", beta=0.5, channel={"probabilities": [1.0, 0, 0, 0, 0]})
    as_trained(model)
    x = tf.constant(images() / np.float32(255))
    mean, log_std = tf.split(model.lost_head(model.encoder.features(x)), 2, axis=-1)
    terms = model.training_terms(images(), SEED, STEP)
    kl = tf.reduce_sum(normal_kl(mean, tf.clip_by_value(log_std, -6, 2)), -1)
    np.testing.assert_allclose(terms["loss"], terms["sse"] + 0.5 * kl, rtol=1e-5)
    assert (kl.numpy() > 0.1).all()
    weights = model.encoder.head.trainable_weights
    assert not any(np.any(g) for g in gradients(lambda: model.training_terms(images(), SEED, STEP)["loss"], weights))


def test_elbo_counts_lost_bands_and_fits_the_prior_to_the_others():
    model = joint(objective="elbo", prior="draw", beta=0.5, channel={"probabilities": [0.0, 0, 1.0, 0, 0]})
    as_trained(model)
    terms = model.training_terms(images(), SEED, STEP)
    x = tf.constant(images() / np.float32(255))
    mean, log_std = tf.split(model.lost_head(model.encoder.features(x)), 2, axis=-1)
    draws = mean + tf.exp(log_std) * standard_noise()
    sent = model.channel(*model.encoder(x), seed=seeds.derive(SEED, 10), training=True, filler=draws)
    prior = model.prior.dist_params(tf.reshape(sent["z"], [4, BANDS, 2]))
    lost = normal_kl(tf.reshape(mean, [4, BANDS, 2]), tf.reshape(log_std, [4, BANDS, 2]), *prior)[:, 2:]
    fit = model.divergences(sent, sent["received"])[:, :2]
    expected = terms["sse"] + 0.5 * (tf.reduce_sum(lost, [1, 2]) + tf.reduce_sum(fit, 1))
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-4)
    np.testing.assert_allclose(terms["sse"], squared(model.decoder(sent["z"]), x), rtol=1e-4)

    def rate_only():
        terms = model.training_terms(images(), SEED, STEP)
        return terms["loss"] - terms["sse"]

    head, prior = model.encoder.head.kernel, model.prior.head.bias
    # What is received costs nothing: the encoder is only reached through what the prior is told of received bands.
    slope = gradients(rate_only, [head, prior])
    assert np.abs(slope[1]).max() > 1e-3
    assert not slope[0].numpy()[:, 4:8].any() and not slope[0].numpy()[:, 12:].any()  # means and widths, lost bands


def standard_noise():
    return standard_normal(tf.zeros([4, SYMBOLS]), seeds.derive(SEED, 12))


def squared(a, b):
    return tf.reduce_sum((a - b) ** 2, [1, 2, 3])


def test_elbo_tests_without_the_posterior():
    model = joint(objective="elbo", channel={"probabilities": [0.0, 0, 1.0, 0, 0]})
    mse, out = model.training_terms(images(), SEED)["mse"], model.communicate(images(), 2, SEED)
    as_trained_only(model.lost_head.trainable_variables)
    np.testing.assert_array_equal(model.training_terms(images(), SEED)["mse"], mse)
    np.testing.assert_array_equal(model.communicate(images(), 2, SEED), out)


@pytest.mark.parametrize("kind", ["draw", "elbo", "elbo_alv_mc"])
def test_every_weight_learns(kind):
    model = joint(**KINDS[kind], beta=0.1)
    # Heads that start at zero would hide what is in front of them; one image is not enough for a rectifier.
    as_trained(model, 0.3)
    slopes = gradients(lambda: model.training_terms(images(16), SEED, STEP)["loss"], model.trainable_weights)
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths) and all(path.startswith("joint/") for path in paths)
    assert {"joint/channel/gaussian/power_sum", "joint/channel/gaussian/power_weight"} < set(paths)
    for weight, gradient in zip(model.trainable_weights, slopes, strict=True):
        assert np.abs(gradient).max() > 0, weight.path


@pytest.mark.parametrize("kind", ["linear", pytest.param("elbo_alv_mc", marks=pytest.mark.slow)])
def test_xla_equals_eager(kind):
    options = {"beta": 0.1, "flip": True, "warm_up_steps": 10}
    model = linear_joint(as_trained_prior(), options=options) if kind == "linear" else joint(**KINDS[kind], **options)
    compiled = tf.function(lambda x: model.training_terms(x, SEED, STEP), jit_compile=True)(images())
    eager = model.training_terms(images(), SEED, STEP)  # whose power is that of the batch, not the average
    for name, value in eager.items():
        assert value.dtype == tf.float32 and value.shape == (4,)
        np.testing.assert_allclose(compiled[name], value, rtol=2e-5, err_msg=name)


def test_a_restored_model_communicates_alike(tmp_path):
    model, restored = (joint("alv", "draw", seed=seed) for seed in (0, 7))
    as_trained(model)
    model.training_terms(images(), SEED, STEP)
    assert model.channel.channel.power_weight.numpy() > 0
    Checkpoints(tmp_path, model).save(1)
    first = model.communicate(images(), 2, SEED)
    assert np.abs(first - restored.communicate(images(), 2, SEED)).max() > 1e-2
    assert Checkpoints(tmp_path, restored).restore() == 1
    np.testing.assert_array_equal(restored.communicate(images(), 2, SEED), first)
    np.testing.assert_array_equal(restored.rates(images(), SEED)["rate"], model.rates(images(), SEED)["rate"])


def test_fit():
    options = {"beta": 0.01, "flip": True, "clip_norm": 1.0, "warm_up_steps": 4}
    model = linear_joint(BandDrawPrior(3, name="prior"), options=options)
    model.compile(AdamL2(1e-2, l2=0.0), jit_compile=False)
    x = images(32)
    history = model.fit(x, batch_size=16, epochs=6, shuffle=False, verbose=0, validation_data=x).history
    assert set(history) == {f"{part}{name}" for part in ("", "val_") for name in ("loss", "mse", "sse", "rate")}
    assert history["mse"][-1] < 0.9 * history["mse"][0]
    assert all(np.isfinite(values).all() for values in history.values())
    np.testing.assert_allclose(history["mse"], np.array(history["sse"]) / PIXELS, rtol=1e-5)
    assert model.monitor == "mse" and model.item_shape == SHAPE and (model.symbols, model.bands) == (SYMBOLS, BANDS)


def test_densities_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = joint("alv", "draw", beta=0.1)
    finally:
        keras.config.set_dtype_policy("float32")
    exact = joint("alv", "draw", beta=0.1).training_terms(images(), SEED)
    for name, value in model.training_terms(images(), SEED).items():
        assert value.dtype == tf.float32
        np.testing.assert_allclose(value, exact[name], rtol=0.1, err_msg=name)
    assert model.encoder.down[0].compute_dtype == "bfloat16"


def test_impossible_arguments():
    parts = linear_joint()
    arguments = parts.encoder, parts.channel, parts.decoder
    with pytest.raises(ValueError, match="prior_space must be 'y' or 'z', got 'x'"):
        JointModel(*arguments, prior_space="x")
    with pytest.raises(ValueError, match="needs a learned prior, not a GaussianPrior"):
        JointModel(*arguments, prior_space="z")
    with pytest.raises(ValueError, match="objective must be 'rd' or 'elbo', got 'vae'"):
        JointModel(*arguments, objective="vae")
    noisy = BandwidthLimitedChannel(GaussianChannel(), fill_noise="channel")
    with pytest.raises(ValueError, match="fill_noise must be 'none'"):
        JointModel(parts.encoder, noisy, parts.decoder, objective="elbo")
    bits = BandwidthLimitedChannel(BinarySymmetricChannel(0.9))
    with pytest.raises(
        ValueError, match="must be one of numbers, a tfcoded.channels.RealChannel, got BinarySymmetricChannel"
    ):
        JointModel(parts.encoder, bits, parts.decoder)
