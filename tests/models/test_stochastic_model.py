import json
import pathlib

import commands
import numpy as np
import pytest
import tensorflow as tf
from tiny_systems import images, linear_joint

from tfcoded.models import AdamL2, StochasticModel
from tfcoded.models.stochastic_model import clip_together


def test_gradients_are_clipped_together():
    replica = tf.distribute.get_replica_context()
    gradients = [tf.constant([3.0, 0.0]), None, tf.constant([[4.0]])]
    clipped = clip_together(gradients, 1.0, replica)
    np.testing.assert_allclose(clipped[0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[2], [[0.8]], rtol=1e-6)
    assert clipped[1] is None
    for gradient, same in zip(gradients, clip_together(gradients, 5.5, replica), strict=True):
        assert same is None or np.array_equal(gradient, same)
    zeros = clip_together([tf.zeros([2])], 1.0, replica)
    np.testing.assert_array_equal(zeros[0], [0.0, 0.0])


def test_same_seed_same_run_and_other_seed_other_run():
    def losses(seed):
        model = linear_joint(marginalise="mc", options={"seed": seed, "flip": True, "beta": 0.1})
        model.compile(AdamL2(1e-3, l2=0.0), run_eagerly=True)
        return model.fit(images(8), batch_size=4, shuffle=False, verbose=0, validation_data=images(8)).history

    first = losses(0)
    assert first["loss"] + first["val_loss"] == pytest.approx(losses(0)["loss"] + losses(0)["val_loss"], rel=1e-6)
    assert first["loss"] != losses(1)["loss"] and first["val_loss"] != losses(1)["val_loss"]


def test_a_subclass_says_what_is_computed():
    with pytest.raises(NotImplementedError):
        StochasticModel().training_terms(images(), [0, 0])


REPLICAS = (
    f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
"""
    + """
import json
import keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcoded.training import hardware
from tiny_systems import images, linear_joint

strategy = hardware.strategy("mirrored")
options = {"beta": 0.1, "clip_norm": 0.01, "flip": True}
with strategy.scope():
    model = linear_joint(marginalise="mc", options=options)
    model.compile(keras.optimizers.SGD(1.0), jit_compile=False)

seen = {}
inner = model.training_terms

def recorded(x, seed, step=None):
    sent = model.channel(*model.encoder(model.to_unit_range(x)), seed=seed)
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    seen[int(tf.get_static_value(replica))] = sent["bands"], sent["received"] - sent["y"]
    return inner(x, seed, step)

model.training_terms = recorded
x = np.broadcast_to(images(1), [64, 8, 8, 1])
before = [weight.numpy() for weight in model.trainable_weights]

@tf.function
def step(method, batch):
    def replica_step(part):
        method(part)
        return seen[int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))]
    return [strategy.experimental_local_results(value) for value in strategy.run(replica_step, args=(batch,))]

with strategy.scope():
    model.optimizer.build(model.trainable_variables)
data = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(x).batch(64))
bands, noise = step(model.train_step, next(iter(data)))
after = [weight.numpy() for weight in model.trainable_weights]
moved = sum(float(np.sum((a - b) ** 2)) for a, b in zip(after, before)) ** 0.5
apart = max(
    float(np.abs(copy.numpy() - weight.numpy()).max())
    for weight in model.weights for copy in strategy.experimental_local_results(weight.value)
)
tested = step(model.test_step, next(iter(data)))
print(json.dumps({
    "replicas": strategy.num_replicas_in_sync, "moved": moved, "apart": apart,
    "bands": [value.numpy().tolist() for value in bands],
    "same_noise": float(np.mean(noise[0].numpy() == noise[1].numpy())),
    "power": model.channel.channel.power_weight.numpy().item(),
    "tested": [np.mean(first.numpy() == second.numpy()).item() for first, second in tested],
}))
"""
)


def test_replicas_draw_by_themselves_and_are_clipped_together():
    done = commands.run_code(REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["replicas"] == 2
    # One SGD step of rate 1 moves the weights by the gradient: by the norm it is clipped to, not by twice that.
    assert found["moved"] == pytest.approx(0.01, rel=1e-3)
    assert found["apart"] == 0.0
    # 8 of 32 agree by chance; more than 24 or none with probability 1e-4, were the seed not fixed.
    first, second = np.array(found["bands"])
    assert len(first) == 32 and 0 < np.sum(first == second) <= 24
    assert found["same_noise"] < 0.01
    bands, noise = found["tested"]
    assert 0 < bands <= 24 / 32 and noise < 0.01
    assert found["power"] == pytest.approx(0.01)  # one step of a moving average, the same on both


EMPTY = (
    f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
"""
    + """
import numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcoded import data, models
from tfcoded.training import hardware
from tiny_systems import images, joint

with hardware.strategy("mirrored").scope():
    model = joint("resnet", clip_norm=1.0, beta=0.1)
    model.compile(models.AdamL2(1e-3, l2=0.0), jit_compile=False)
before = [weight.numpy() for weight in model.trainable_weights]
# Two batches, of which the second leaves a replica without images.
trained = model.fit(data.training_pipeline(images(3), 2, seed=0), verbose=0).history
tested = model.evaluate(data.test_pipeline(images(3), 2), verbose=0)
assert model._trackers[0].count.numpy() == 3
assert np.all(np.isfinite([*tested, *(value for values in trained.values() for value in values)]))
after = [weight.numpy() for weight in model.trainable_weights]
assert all(np.all(np.isfinite(weight)) for weight in after) and any(np.any(a != b) for a, b in zip(after, before))
print("trained and tested")
"""
)


def test_a_replica_may_be_left_without_images():
    """TensorFlow's convolutions on CPUs give an empty batch a wrong shape, see `tfcoded.networks.any_rows`."""
    done = commands.run_code(EMPTY)
    assert done.stdout.strip() == "trained and tested", done.stderr[-3000:]
