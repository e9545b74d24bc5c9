"""A communication system for use only: float32, stored weights, each network traced once."""

import keras
import tensorflow as tf

from tfcoded import models
from tfcoded.channels import Channel
from tfcoded.codec.weights import Weights, key
from tfcoded.utils import keras_settings
from tfcoded.utils.errors import UserError


class SystemInference:
    """A system of `tfcoded.models` whose layers compute with an `tfcoded.codec.weights.Weights`.

    Its networks become functions of their own, which a SavedModel stores once however many signatures call them. Its
    channel, with the prior inside, computes with stored weights in every method.

    Args:
      system: a built system that nothing else uses.
      stored: `Weights` of a system like it.

    Example:

    ```python
    inference = SystemInference(models.build(config), Weights(model))
    inference("transmit", images, seed)   # model.transmit(images, seed)
    ```
    """

    def __init__(self, system, stored):
        self.system = system
        self._stored = stored
        layers = list(_layers(system))
        self._channels = [layer for layer in layers if isinstance(layer, Channel)]
        for layer in layers:
            if not isinstance(layer, Channel):
                self._make_function(layer)

    def __call__(self, method, *arguments):
        """What the system's method of that name returns."""
        with self._stored.used_by(*self._channels):
            return getattr(self.system, method)(*arguments)

    def _make_function(self, network):
        compute = network.call

        @tf.function(autograph=False)
        def call(*arguments, **options):
            with self._stored.used_by(network):
                return compute(*arguments, **options)

        network.call = call


def inference_copy(model, config, storage="float32"):
    """A copy of a trained system for inference.

    Args:
      model: a built system of `tfcoded.models`, of any dtype policy. Training it further does not change the copy.
      config: its `tfcoded.config.communication.SystemConfig`.
      storage: see `tfcoded.codec.weights.Weights`; or such an object, to compute with.

    Returns:
      `SystemInference`, computing in float32, and the `Weights` that it uses.

    Raises:
      ValueError: if the storage is unknown or `"compensated"`, a weight is not finite, or the configuration describes
        another system.
    """
    with keras_settings.dtype_policy("float32"):
        copy = models.build(config)
    _check_alike(model, copy, config)
    if isinstance(storage, Weights):
        return SystemInference(copy, storage), storage
    if storage == "compensated":
        raise UserError(f"storage 'compensated' is not for {config.name}, a communication system; choose another")
    stored = Weights(model, storage)
    return SystemInference(copy, stored), stored


def _layers(system):
    """The layers of a system, and of the systems inside it."""
    for layer in system.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _check_alike(model, copy, config):
    facts = {
        "type": type,
        "images": lambda system: system.item_shape,
        "weights": lambda system: [(key(weight), tuple(weight.shape)) for weight in system.weights],
        "channel": lambda system: [str(_settings(layer)) for layer in _layers(system) if isinstance(layer, Channel)],
    }
    for name, fact in facts.items():
        if fact(model) != fact(copy):
            raise ValueError(
                f"the configuration {config.name!r} describes a system with other {name};"
                " pass the configuration that the system was built from"
            )


def _settings(layer):
    """Arguments of a channel's constructor, without those of every layer, such as the dtype policy."""
    return _without_dtype(layer.get_config())


def _without_dtype(settings):
    if not isinstance(settings, dict):
        return settings
    return {name: _without_dtype(value) for name, value in settings.items() if name not in ("dtype", "seed")}
