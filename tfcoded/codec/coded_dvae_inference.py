"""A Coded-DVAE for use only: float32, stored weights, each network traced once."""

import tensorflow as tf

from tfcoded.codec import layer_inputs
from tfcoded.codec.weights import Weights, finite_value
from tfcoded.models import CodedDVAE
from tfcoded.utils import keras_settings


class Inference(CodedDVAE):
    """A `CodedDVAE` whose networks compute with an `tfcoded.codec.weights.Weights`, set as the attribute `stored`.

    All other methods build on the two below. Being functions of their own, the networks are stored once in a
    SavedModel however many signatures call them.
    """

    stored = None

    @tf.function(autograph=False)
    def code_logits(self, images):
        with self.stored.used_by(self.encoder):
            return super().code_logits(images)

    @tf.function(autograph=False)
    def outputs(self, z):
        with self.stored.used_by(self.decoder):
            return super().outputs(z)


def inference_copy(model, config, storage="float32", images=None):
    """A copy of a trained model for inference.

    Args:
      model: a built `tfcoded.models.CodedDVAE`, of any dtype policy. Training it further does not change the
        copy.
      config: its `tfcoded.config.Config`.
      storage: see `tfcoded.codec.weights.Weights`; or such an object, to compute with.
      images: training images, `[N, h, w, c]`, for the storage `"compensated"`: see `tfcoded.codec.layer_inputs.moments`.

    Returns:
      `Inference`, computing in float32.

    Raises:
      ValueError: if the storage is unknown or lacks images, a weight is not finite, or the configuration describes
        another model.
    """
    with keras_settings.dtype_policy("float32"):
        copy = Inference.from_configuration(config)
    _check_alike(model, copy, config)
    if isinstance(storage, Weights):
        copy.stored = storage
        return copy
    moments = None
    if storage == "compensated" and images is not None and len(images):
        for variable in model.weights:
            finite_value(variable)  # or it may be refused, which is better done before all is computed
        moments = layer_inputs.moments(model, images)
    copy.stored = Weights(model, storage, moments)
    if moments is not None:
        head = model.encoder.head
        kernel, bias = layer_inputs.refitted_head(model, copy.stored, images)
        copy.stored.exchange([(head.kernel, kernel), (head.bias, bias)], moments)
    return copy


def _check_alike(model, copy, config):
    facts = {  # equal weights imply the same image shape and so the same likelihood
        "code": lambda m: m.code,
        "beta": lambda m: m.beta,
        "weights": lambda m: [tuple(weight.shape) for weight in m.weights],
    }
    for name, fact in facts.items():
        if fact(model) != fact(copy):
            raise ValueError(
                f"the configuration {config.name!r} describes a model with other {name};"
                " pass the configuration that the model was built from"
            )
