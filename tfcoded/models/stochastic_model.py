"""What every trained model here has in common: steps whose noise is a function of seed, step and replica."""

import os
import typing

import keras
import numpy as np
import tensorflow as tf

from tfcoded.models.adam_l2 import AdamL2, optimizer as optimizer_of
from tfcoded.utils import keras_settings, presets, seeds
from tfcoded.utils.errors import UserError

_ROUNDING = 1e-3  # by which resized images of floats may leave [0, 1]


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
      item_shape: shape of an item, such as `(height, width, channels)`, with which `fit` compares arrays.
      configuration: the configuration that it was built from, or `None`.
    """

    monitor = "loss"
    metric_names = ()
    item_shape = None
    configuration = None
    _trackers = ()

    def __init__(self, seed=0, clip_norm=None, name=None):
        keras_settings.require()
        super().__init__(name=name)
        self.seed = seed
        self.clip_norm = clip_norm

    @classmethod
    def from_configuration(cls, config, seed=0, total_steps=None):
        """A new model of this class; its arguments are those of `tfcoded.models.build`, which finds the class itself.

        Raises:
          ConfigError: if the seed of a random code gives two equal codewords.
        """
        model = cls._from_configuration(config, seed, total_steps)
        model.configuration = config
        return model

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], zoo_dir: str | os.PathLike[str] | None = None) -> typing.Self:
        """A trained model, to be used or trained further.

        It is compiled with the optimizer of its configuration; `compile` with another one replaces it. Weights that the
        zoo stores rounded stay so until they are trained.

        Args:
          preset: `str`, an entry of the zoo with weights; or `str` or path, the folder of a SavedModel, or of a training
            (its `--workdir`): the weights of the newest checkpoint. A name that is a folder too is that of the entry.
          zoo_dir: `str` or path, the folder of the zoo's entries; by default as in `tfcoded.zoo.directory`.

        Returns:
          A model of this class, with the attribute `configuration`.

        Raises:
          UserError: if there is no such entry (with the nearest name) or folder, it has no weights, they are damaged, or
            belong to a model of another class (with its name).

        Example:

        ```python
        model = tfcoded.CodedDVAE.from_preset("coded_8_240")
        model.fit(images_uint8, batch_size=128, epochs=5)  # [N, 28, 28, 1]
        model.save("tuned.keras")

        from tfcoded import models  # in another process: Keras finds the classes that are imported

        model = keras.saving.load_model("tuned.keras")
        ```
        """
        model, config = presets.restored(preset, zoo_dir)
        if not isinstance(model, cls):
            there = type(model).__name__
            raise UserError(f"{preset} is no {cls.__name__}; use tfcoded.models.{there}.from_preset")
        model.configuration = config
        model.compile()
        return model

    def compile(self, optimizer="auto", *, jit_compile=False, **kwargs):
        """As Keras' own, with other defaults.

        Args:
          optimizer: as Keras takes it; by default that of `configuration`, at its first learning rate, or `AdamL2()` where
            there is no configuration.
          jit_compile: `bool`, whether XLA compiles the steps, which takes long and does not pay on CPUs.
          **kwargs: of `keras.Model.compile`.

        Raises:
          UserError: if the weights are not of float32, as a policy such as float64 makes them.
        """
        dtype = self.dtype_policy.variable_dtype
        if dtype != "float32":
            raise UserError(
                f"the model's weights are of {dtype}, by Keras' dtype policy; expected float32: call "
                "keras.config.set_dtype_policy('float32') or 'mixed_bfloat16' before the model is made"
            )
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = AdamL2() if self.configuration is None else optimizer_of(self.configuration)
        super().compile(optimizer, jit_compile=jit_compile, **kwargs)

    def fit(self, x=None, y=None, *, validation_data=None, **kwargs):
        """Trains on images, as Keras' own.

        Args:
          x: images `[N, *item_shape]`, integers from 0 to 255 or floats in [0, 1]; or what gives batches of them, such as a
            `tf.data.Dataset`.
          y: `None`: the models learn from images alone.
          validation_data: as `x`.
          **kwargs: of `keras.Model.fit`, such as `batch_size`, 32 by default, and `epochs`.

        Returns:
          `keras.callbacks.History`.

        Raises:
          UserError: if an array has another shape or other values, or there is a `y`.
        """
        _refuse_labels(y)
        return super().fit(self._items(x), validation_data=self._items(validation_data), **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        """The loss and the metrics of images, as Keras' own; the arguments are as those of `fit`."""
        _refuse_labels(y)
        return super().evaluate(self._items(x), **kwargs)

    def predict(self, x, **kwargs):
        """What `call` makes of images, `[N, *item_shape]`, as Keras' own; the arguments are as those of `fit`."""
        return super().predict(self._items(x), **kwargs)

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

    def _items(self, x):
        """`x`, or if it is an array: the same as np.uint8, or as np.float32 in [0, 1]."""
        if isinstance(x, tuple):
            _refuse_labels(x)
        if self.item_shape is None or not (isinstance(x, list) or hasattr(x, "__array__")):
            return x
        expected = f"expected [N, {', '.join(map(str, self.item_shape))}], integers from 0 to 255 or floats in [0, 1]"
        try:
            array = np.asarray(x)
        except ValueError:  # rows of several lengths
            raise UserError(f"the images are no array; {expected}") from None
        if array.dtype.kind not in "buif" or array.shape[1:] != self.item_shape or not len(array):
            raise UserError(f"the images are {array.dtype} {list(array.shape)}; {expected}")
        if array.dtype.kind in "ui":
            target, smallest, largest = np.uint8, 0, 255
        else:
            target, smallest, largest = np.float32, -_ROUNDING, 1 + _ROUNDING
        if array.size and not (array.min() >= smallest and array.max() <= largest):
            raise UserError(f"the images have values from {array.min():g} to {array.max():g}; {expected}")
        return array.astype(target, copy=False)

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


def _refuse_labels(y):
    if y is not None:
        raise UserError("the models learn from images alone; leave out y, and in tuples all but the images")


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
