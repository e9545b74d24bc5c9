import json

import commands
import numpy as np
import pytest
import tensorflow as tf
import tiny_networks

from tfcoded import codes, data
from tfcoded.models import AdamL2, CodedDVAE, Elbo, ImportanceWeighted, LeaveOneOut


def build(code, **settings):
    return CodedDVAE(code, (28, 28, 1), encoder_width=16, decoder_width=16, **settings)


def images(count, shape=(28, 28, 1)):
    return np.random.default_rng(0).integers(0, 256, size=(count, *shape), dtype=np.uint8)


def batches(count, batch_size):
    return tf.data.Dataset.from_tensor_slices(images(count)).batch(batch_size)


@pytest.mark.parametrize(
    "code",
    [codes.Uncoded(3), codes.Repetition(3, 12), codes.Hierarchical((3, 2), (6, 4))],
    ids=lambda c: type(c).__name__,
)
def test_bound_by_hand(code):
    """The evidence from its parts, with probabilities rather than logits, in float64."""
    model = build(code)
    model.encoder.head.kernel.assign(300.0 * model.encoder.head.kernel.numpy())  # posteriors away from 1/2
    x = images(4)
    terms = model.evidence(x, [1, 2])
    p = np.clip(tf.sigmoid(model.encoder(x / np.float32(255.0))).numpy().astype(np.float64), 0.001, 0.999)
    start, posteriors = 0, []
    for bits, length in zip(code.branches, (code.code_bits,) if len(code.branches) == 1 else (6, 4)):
        copies = p[:, start : start + length].reshape(4, bits, -1)
        one, zero = copies.prod(-1), (1 - copies).prod(-1)
        posteriors.append(one / (one + zero))
        start += length
    if len(posteriors) == 2:
        first, second = posteriors[0][:, :2], posteriors[1]
        posteriors[1] = first * (1 - second) + (1 - first) * second
    q = np.concatenate(posteriors, axis=1)
    np.testing.assert_allclose(tf.sigmoid(model.information_logits(x)), q, rtol=1e-3, atol=1e-5)
    kl = q * np.log(2 * q) + (1 - q) * np.log(2 * (1 - q))
    np.testing.assert_allclose(terms["kl"], kl.sum(1), rtol=1e-3, atol=1e-4)
    assert kl.sum() > 1.0
    np.testing.assert_allclose(tf.reduce_sum(terms["kl_branches"], -1), terms["kl"], rtol=1e-5)
    z = model.sample(x, [1, 2])
    y = np.clip(model.decode(z).numpy().astype(np.float64), 1e-12, 1 - 1e-7)
    target = x / 255.0
    cross_entropy = (target * np.log(y) + (1 - target) * np.log1p(-y)).sum((1, 2, 3))
    np.testing.assert_allclose(terms["reconstruction"], cross_entropy, rtol=1e-4)
    np.testing.assert_allclose(terms["elbo"], cross_entropy - kl.sum(1), rtol=1e-4)


def test_gaussian_likelihood_by_hand():
    model = CodedDVAE(codes.Repetition(3, 6), (32, 32, 3), "gaussian", encoder_width=8, decoder_width=8)
    x = images(2, (32, 32, 3))
    z = model.sample(x, [1, 2])
    mean = model.outputs(z).numpy().astype(np.float64)
    target = x / 127.5 - 1.0
    density = -0.5 * ((target - mean) ** 2 / 0.1 + np.log(2 * np.pi * 0.1)).sum((1, 2, 3))
    np.testing.assert_allclose(model.evidence(x, [1, 2])["reconstruction"], density, rtol=1e-5)
    np.testing.assert_allclose(model.decode(z), np.clip((mean + 1) / 2, 0, 1), atol=1e-6)


def test_uint8_and_float_images_are_the_same():
    model = build(codes.Repetition(3, 6))
    x = images(2)
    as_float = tf.constant(x / 255.0, tf.float32)
    np.testing.assert_allclose(model.information_logits(x), model.information_logits(as_float), rtol=1e-5, atol=1e-6)


def test_modulation_lies_at_the_codeword():
    model = build(codes.Hierarchical((2, 2), (4, 4)), beta=40.0)
    bits = tf.constant([[0, 0, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1]])
    z = model.modulate(bits, [0, 1]).numpy()
    # P(|z - c| > 1/2) = e^-20 / (1 + e^-20): false failures below 1e-7.
    np.testing.assert_array_equal(z > 0.5, model.code.encode(bits).numpy().astype(bool))
    # The smoothed copies of a bit are drawn independently.
    assert len(np.unique(z)) == z.size


def test_same_seed_same_run_and_other_seed_other_run(monkeypatch):
    tiny_networks.replace_networks(monkeypatch)

    def losses(seed):
        model = build(codes.Repetition(3, 6), seed=seed)
        model.compile(AdamL2(1e-3))
        history = model.fit(batches(20, 8), epochs=2, verbose=0, validation_data=batches(12, 8)).history
        return history["loss"] + history["val_loss"]

    first = losses(0)
    assert first == pytest.approx(losses(0), rel=1e-6)
    assert first != pytest.approx(losses(1), rel=1e-6)


def test_noise_differs_between_steps_and_between_batches_of_a_test(monkeypatch):
    tiny_networks.replace_networks(monkeypatch)
    model = build(codes.Repetition(3, 60))
    x = np.repeat(images(1), 16, axis=0)
    model.compile(AdamL2(0.0, l2=0.0))
    once = model.fit(x, batch_size=16, epochs=2, shuffle=False, verbose=0).history["reconstruction"]
    assert once[0] != once[1]  # the same images and weights, another step
    first = model.evaluate(x[:8], batch_size=8, verbose=0, return_dict=True)["reconstruction"]
    both = model.evaluate(x, batch_size=8, verbose=0, return_dict=True)["reconstruction"]
    assert first != both  # the second batch repeats the images but not the noise
    assert model.evaluate(x, batch_size=8, verbose=0, return_dict=True)["reconstruction"] == both


def test_every_weight_learns():
    model = build(codes.Hierarchical((3, 2), (6, 4)))
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(model.evidence(images(4), [0, 1])["elbo"])
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights)):
        assert gradient is not None and np.abs(gradient).max() > 0, weight.path


OBJECTIVES = {
    "elbo of 4 samples": (codes.Repetition(3, 6), Elbo(4), ["elbo", "reconstruction", "kl"]),
    "iwae": (codes.Uncoded(3), ImportanceWeighted(4), ["iwae", "elbo", "reconstruction", "kl"]),
    "dr": (codes.Repetition(3, 6), ImportanceWeighted(4, 0.5, True), ["vr_iwae", "elbo", "reconstruction", "kl"]),
    "random": (codes.RandomCode(3, 8), LeaveOneOut(4), ["elbo", "reconstruction", "kl"]),
    "drawn kl": (codes.Hierarchical((2, 1), (4, 4)), LeaveOneOut(4, False), ["elbo", "reconstruction", "kl"]),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_samples_in_parts_give_the_same_gradient(name, monkeypatch):
    tiny_networks.replace_networks(monkeypatch)
    code, objective, metrics = OBJECTIVES[name]
    gradients = {}
    for at_once in (4, 2):
        model = build(code, objective=objective, samples_at_once=at_once)
        assert list(model.metric_names) == metrics

        @tf.function(autograph=False)
        def compute(x):
            with tf.GradientTape() as tape:
                terms = model.training_terms(x, [1, 2])
                loss = tf.reduce_sum(terms["loss"])
            return terms, tape.gradient(loss, model.trainable_weights)

        terms, gradients[at_once] = compute(images(3))
        assert list(terms) == ["loss", *metrics]
        assert all(value.shape == (3,) and value.dtype == tf.float32 for value in terms.values())
    for whole, parts, weight in zip(gradients[4], gradients[2], model.trainable_weights, strict=True):
        scale = np.abs(whole).max()
        assert scale > 0, weight.path
        np.testing.assert_allclose(parts, whole, atol=2e-4 * scale, err_msg=weight.path)


def test_random_codes_need_inference_over_codewords():
    with pytest.raises(ValueError, match="bits of RandomCode.* depend on each other; pass objective=LeaveOneOut"):
        build(codes.RandomCode(3, 8))


def test_training_with_several_samples_reports_the_bound(monkeypatch):
    tiny_networks.replace_networks(monkeypatch)
    model = build(codes.Uncoded(3), objective=ImportanceWeighted(4, 0.5, True))
    model.compile(AdamL2(1e-3))
    history = model.fit(batches(16, 8), epochs=3, verbose=0, validation_data=batches(8, 8)).history
    assert set(history) == {f"{part}{name}" for part in ("", "val_") for name in ("loss", *model.metric_names)}
    assert history["vr_iwae"][-1] > history["vr_iwae"][0] + 1
    for prefix in ("", "val_"):
        np.testing.assert_allclose(history[f"{prefix}loss"], np.negative(history[f"{prefix}vr_iwae"]), rtol=1e-5)
        assert (np.array(history[f"{prefix}vr_iwae"]) > history[f"{prefix}elbo"]).all()


def test_densities_are_float32_in_mixed_precision():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(codes.Repetition(3, 6))
    finally:
        keras.config.set_dtype_policy("float32")
    terms = model.evidence(images(2), [0, 1])
    assert all(value.dtype == tf.float32 for value in terms.values())
    assert model.decoder.block_1.convolution.compute_dtype == "bfloat16"
    exact = build(codes.Repetition(3, 6)).evidence(images(2), [0, 1])
    np.testing.assert_allclose(terms["elbo"], exact["elbo"], rtol=2e-2)
    assert (terms["elbo"].numpy() != exact["elbo"].numpy()).any()


REPLICAS = (
    f"""
{tiny_networks.PREPARE}
"""
    + """
import json, pathlib, sys
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcoded import codes
from tfcoded.training import hardware
from tfcoded.utils import seeds
from tfcoded.models import AdamL2, CodedDVAE

strategy = hardware.strategy(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, size=(23, 28, 28, 1), dtype=np.uint8)
with strategy.scope():
    model = CodedDVAE(codes.Repetition(4, 40), (28, 28, 1), beta=40.0, encoder_width=16, decoder_width=16)
    model.encoder.head.bias.assign(tf.ones([40]))  # of bits of probability 1/2 the gradient would be all noise

@tf.function
def noise():
    def replica():
        context = tf.distribute.get_replica_context()
        return model.modulate(tf.zeros([1, 4]), seeds.derive(0, seeds.TRAIN, 0, context.replica_id_in_sync_group))
    return strategy.experimental_local_results(strategy.run(replica))

def moved(count, name):
    \"\"\"Writes where one epoch on `count` images, in batches of 16, moves the weights; its loss.\"\"\"
    before = [weight.numpy() for weight in model.trainable_weights]
    loss = model.fit(tf.data.Dataset.from_tensor_slices(images[:count]).batch(16), verbose=0).history["loss"][0]
    change = [(w.numpy() - b).ravel() for w, b in zip(model.trainable_weights, before)]
    np.save(pathlib.Path(sys.argv[2], f"{sys.argv[1]}_{name}.npy"), np.concatenate(change))
    apart = 0.0
    for weight in model.trainable_weights:
        copies = [copy.numpy() for copy in strategy.experimental_local_results(weight.value)]
        apart = max([apart, *(float(np.abs(copy - copies[0]).max()) for copy in copies)])
    for weight, value in zip(model.trainable_weights, before):
        weight.assign(value)
    return {"loss": loss, "apart": apart}

def compiled(optimizer):
    with strategy.scope():
        model.compile(optimizer)

with strategy.scope():
    sgd, adam = keras.optimizers.SGD(1e-5), AdamL2(1e-4)
compiled(sgd)
tested = model.evaluate(tf.data.Dataset.from_tensor_slices(images[:7]).batch(4), verbose=0, return_dict=True)["loss"]
moves = {"sgd": moved(16, "sgd"), "uneven": moved(7, "uneven")}  # 7: 4 + 3 images on two replicas
compiled(adam)
moves["adam"] = moved(23, "adam")
print(json.dumps({
    "replicas": strategy.num_replicas_in_sync,
    "noise": [z.numpy().tolist() for z in noise()],
    "tested": tested,
    **moves,
}))
"""
)


def test_two_replicas_draw_different_noise_and_train_like_one(tmp_path):
    def run(strategy):
        done = commands.run_code(REPLICAS, strategy, tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    two, one = run("mirrored"), run("one")
    assert (two["replicas"], one["replicas"]) == (2, 1)
    first, second = np.array(two["noise"])
    assert (first != second).all()
    np.testing.assert_allclose(first, one["noise"][0], rtol=1e-6)  # replica 0 is the single device
    for kind in ("sgd", "uneven", "adam"):
        # Only the noise of z differs, which moves loss and gradient by less than these bounds at the initial weights; a
        # sum in place of a mean, or a replica counted twice, would double the change of SGD.
        moved, expected = (np.load(tmp_path / f"{strategy}_{kind}.npy") for strategy in ("mirrored", "one"))
        # Measured: 0.012, 0.010 and 0.14. Adam moves a weight whose gradient is all noise as far as any other, so that
        # some go either way; unrelated directions would give 1.4.
        apart = np.linalg.norm(moved - expected) / np.linalg.norm(expected)
        assert 0 < apart < (0.3 if kind == "adam" else 0.03)
        assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(expected), rel=0.05)
        assert two[kind]["loss"] == pytest.approx(one[kind]["loss"], rel=5e-3)
        assert two[kind]["loss"] != one[kind]["loss"]
        assert two[kind]["apart"] == 0.0  # every weight is the same on both replicas
    assert two["tested"] == pytest.approx(one["tested"], rel=5e-3)
    assert two["tested"] != one["tested"]


def test_ten_steps_on_fashion_mnist_improve_the_bound(fashion):
    """Full-size coded_8_80, half the published batch.

    Measured: from -499.3 to -480.3 nats with this seed, an improvement of 19.04, with oneDNN on and off; 14.8 and 26.2
    with seeds 1 and 2 (at the start the bound depends on the seed through the bias of the last layer). Seeds are fixed,
    so a false failure would need other arithmetic. Half the learning rate improves the bound by 5.3 nats only.
    """
    model = CodedDVAE(codes.Repetition(8, 80), (28, 28, 1), seed=0)
    model.compile(AdamL2(learning_rate=1e-4, l2=1e-4), jit_compile=False)
    test = data.test_pipeline(fashion.test_images[:100], 100)
    before = model.evaluate(test, verbose=0, return_dict=True)["elbo"]
    assert -501 < before < -497
    model.fit(data.training_pipeline(fashion.train_images[:640], 64, seed=0, epochs=1), verbose=0, shuffle=False)
    after = model.evaluate(test, verbose=0, return_dict=True)["elbo"]
    assert 18 < after - before < 20
