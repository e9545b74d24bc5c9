"""What every trained model here has in common: steps whose noise is a function of seed, step and replica."""

import keras
import tensorflow as tf

from tfcoded.utils import keras_settings, seeds
from tfcoded.utils.errors import UserError


class StochasticModel(keras.Model):
    """A model whose training and test steps draw random numbers, on any number of replicas.

    A subclass implements `training_terms` and `build`, names its metrics and, at the end of its constructor, calls
    `self._finish()`. All noise of a step follows from (run seed, step, replica), so that a run can be repeated and two
    replicas never share noise.

    Args:
      seed: `int`, of the initial weights and of all noise.
      clip_norm: `float`, the largest norm of the gradient of all replicas together; a longer gradient is shortened to
        it. `None`: it is left as it is.
      name: `str`.

    Attributes:
      monitor: `str`, the metric to watch while it trains.
      metric_names: tuple of `str`, what is reported of every step beside the loss.
    """

    monitor = "loss"
    metric_names = ()
    _trackers = ()

    def __init__(self, seed=0, clip_norm=None, name=None):
        keras_settings.require()
        super().__init__(name=name)
        self.seed = seed
        self.clip_norm = clip_norm

    def compile(self, *args, **kwargs):
        """As Keras' own; raises `UserError` if the weights are not of float32, as a policy such as float64 makes them."""
        dtype = self.dtype_policy.variable_dtype
        if dtype != "float32":
            raise UserError(
                f"the model's weights are of {dtype}, by Keras' dtype policy; expected float32: call "
                "keras.config.set_dtype_policy('float32') or 'mixed_bfloat16' before the model is made"
            )
        super().compile(*args, **kwargs)

    def compile_from_config(self, config):
        """Compiles a loaded model as it was; Keras' own leaves it to classes that have a `compile` of their own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def get_config(self):
        """Arguments of the constructor, with layers, models, codes and objectives as Keras serialises them.

        Further the dtype policy, which the layers inside follow, and whether the model is trained.
        """
        config = {name: _plain(value) for name, value in self.arguments().items()}
        return config | {"dtype": keras.dtype_policies.serialize(self.dtype_policy), "trainable": self.trainable}

    @classmethod
    def from_config(cls, config):
        """The model whose `get_config` is `config`, with initial weights."""
        config = dict(config)
        trainable = config.pop("trainable")
        with keras_settings.dtype_policy(keras.dtype_policies.get(config.pop("dtype"))):
            model = cls(**keras.saving.deserialize_keras_object(config))
        model.trainable = trainable
        return model

    def arguments(self):
        """The arguments that make a model like this one, a dict; a subclass adds its own."""
        return {"seed": self.seed, "name": self.name}

    def get_build_config(self):
        """`None`: the constructor creates the weights."""

    def training_terms(self, images, seed, step=None):
        """What one training step computes of its images.

        Args:
          images: `[b, ...]`, tf.uint8, or floating in [0, 1].
          seed: `int32 [2]`.
          step: integer scalar, how many steps came before; `None` when the model is tested.

        Returns:
          `dict` of tf.float32 `[b]`: `loss`, whose mean is differentiated, and each of `metric_names`.
        """
        raise NotImplementedError

    def reported_loss(self, terms):
        """What is tracked as the loss, `[b]`, made of the terms of a step."""
        return terms["loss"]

    def to_unit_range(self, images):
        """Images as tf.float32 in [0, 1].

        Args:
          images: `[b, h, w, c]`, tf.uint8 in 0..255, or floating in [0, 1].
        """
        images = tf.convert_to_tensor(images)
        if images.dtype == tf.uint8:
            return tf.cast(images, tf.float32) / 255.0
        return tf.cast(images, tf.float32)

    @property
    def metrics(self):
        return self._trackers

    def train_step(self, images):
        """One optimizer step on `images : [b, ...]`, tf.uint8, this replica's part of the batch."""
        replica = tf.distribute.get_replica_context()
        step = self.optimizer.iterations
        seed = seeds.derive(self.seed, seeds.TRAIN, step, replica.replica_id_in_sync_group)
        # The mean is over the images of all replicas: the last batch of an epoch may split unevenly.
        count = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.shape(images)[0], tf.float32))
        with tf.GradientTape() as tape:
            terms = self.training_terms(images, seed, step)
            loss = tf.reduce_sum(terms["loss"]) / count
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        if self.clip_norm is not None:
            gradients = clip_together(gradients, self.clip_norm, replica)
        self.optimizer.apply(gradients, weights)
        return self._track(terms)

    def test_step(self, images):
        """The terms of `images : [b, ...]`, tf.uint8; the noise depends on how many images came before."""
        replica = tf.distribute.get_replica_context()
        place = tf.cast(self._trackers[0].count, tf.int32)
        seed = seeds.derive(self.seed, seeds.TEST, place, replica.replica_id_in_sync_group)
        return self._track(self.training_terms(images, seed))

    def _finish(self):
        """Creates metrics and weights; the last thing that the constructor of a subclass does."""
        self._trackers = [keras.metrics.Mean(name=metric) for metric in ["loss", *self.metric_names]]
        self.build()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds the optimizer; the weights exist. Keras' own averages a batch over replicas, which may be uneven."""
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def _track(self, terms):
        terms["loss"] = self.reported_loss(terms)
        for tracker in self._trackers:
            tracker.update_state(terms[tracker.name])
        results = {tracker.name: tracker.result() for tracker in self._trackers}
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Between workers Keras averages over a first axis, which scalars lack; the values are the same everywhere.
            results = {name: value[tf.newaxis] for name, value in results.items()}
        return results


def clip_together(gradients, largest, replica):
    """This replica's gradients, shortened so that the sum over replicas has at most the norm `largest`.

    The optimizer adds the gradients of the replicas up; clipping each replica's own would depend on how many there are.

    Args:
      gradients: list of tensors, or `None` where a weight has no part in the loss.
      largest: `float`.
      replica: `tf.distribute.ReplicaContext`.

    Returns:
      List like `gradients`.
    """
    present = [gradient for gradient in gradients if gradient is not None]
    norm = tf.linalg.global_norm(replica.all_reduce(tf.distribute.ReduceOp.SUM, present))
    scale = largest / tf.maximum(norm, largest)
    return [None if gradient is None else scale * gradient for gradient in gradients]


def _plain(value):
    """`value` as JSON has it. Layers are built by the model that they are part of, as they were."""

    def unbuilt(config):
        if isinstance(config, (list, tuple)):
            return [unbuilt(part) for part in config]
        if isinstance(config, dict):
            return {name: unbuilt(part) for name, part in config.items() if name != "build_config"}
        return config

    return unbuilt(keras.saving.serialize_keras_object(value))
