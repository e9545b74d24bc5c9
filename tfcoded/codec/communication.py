"""A trained communication system as functions of tensors, which is what a SavedModel holds."""

import types

import tensorflow as tf

from tfcoded.codec.coded_dvae import signature
from tfcoded.codec.communication_inference import inference_copy
from tfcoded.config import to_yaml
from tfcoded.utils import inputs


class SystemModule(tf.Module):
    """Sends images over a noisy channel and shows what arrives; the same object before saving and after loading.

    Everything is computed in float32, whatever the system was trained in. The weights are a copy, with the power that
    the channel normalises by and the prior of lost bands: training the system further changes nothing here. Shapes: N
    images of `[h, w, c]`, n symbols, T bands. Images are tf.uint8 in 0..255, or tf.float32 in [0, 1]. A channel
    autoencoder sends numbers instead, tf.float32 `[N, n]` from a standard normal law. A seed is `int32 [2]`: the same
    seed gives the same noise, also in a graph and under XLA, and rows of one call are independent. N may be 0. Inputs of
    other shapes, types or values are refused, see `tfcoded.utils.inputs`; XLA leaves the checks of values out.

    Args:
      model: a built system of `tfcoded.models`.
      config: its `tfcoded.config.communication.SystemConfig`.
      storage: one of `tfcoded.storage.STORAGES`, how a SavedModel stores the kernels; see `tfcoded.codec.weights.Weights`. Not
        `"compensated"`, which knows the layers of Coded-DVAEs only.
      images: not used.

    Raises:
      ValueError: if the storage is unknown or `"compensated"`, a weight is not finite, or the configuration describes
        another system.

    Example:

    ```python
    module = SystemModule(model, config)
    sent = module.transmit(images_uint8, seed=tf.constant([0, 1]))["symbols"]
    arrived = module.corrupt(sent, seed=tf.constant([0, 2]))["symbols"]
    images = module.receive(arrived, bands=2, seed=tf.constant([0, 3]))["images"]   # of the first two bands
    ```
    """

    def __init__(self, model, config, storage="float32", images=None):
        super().__init__(name="communication_system")
        inference, self._weights = inference_copy(model, config, storage)
        self._yaml = to_yaml(config)
        self._sends_numbers = inference.system.item_shape == (0,)
        self._alphabet = config.channel.alphabet
        # As in `CodedDVAEModule`: the Keras model's own variables are not to be saved.
        self._untracked = types.SimpleNamespace(inference=inference)

    @tf.function(autograph=False)
    def transmit(self, images, seed):
        """What is sent of images.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `symbols`: `[N, n]`, tf.float32: bits over a binary channel; over a Gaussian one numbers, of unit
          power on the average over images if the channel normalises by batches, or in every codeword.
        """
        images, seed = inputs.together(self._images(images), inputs.seed(seed))
        return {"symbols": self._run("transmit", images, seed)}

    @tf.function(autograph=False)
    def corrupt(self, symbols, seed):
        """What arrives of symbols if no band is lost.

        Args:
          symbols: `[N, n]`, tf.float32, as `transmit` gives them: bits, or numbers of at most `inputs.LARGEST` in size.
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `symbols`: `[N, n]`, tf.float32; a bit that was erased is 1/2.
        """
        symbols, seed = inputs.together(self._symbols(symbols), inputs.seed(seed))
        return {"symbols": self._run("corrupt", symbols, seed)}

    @tf.function(autograph=False)
    def receive(self, symbols, bands, seed):
        """Images of what arrived.

        Args:
          symbols: `[N, n]`, tf.float32, as `corrupt` gives them: bits, or numbers of at most `inputs.LARGEST` in size.
          bands: `[]`, tf.int32 in 0..T, how many bands arrived: the prior fills in the others. Without effect where T
            is 1.
          seed: `[2]`, tf.int32, of what is filled in and of what the decoder draws.

        Returns:
          `dict` of `images`: `[N, h, w, c]`, tf.float32 in [0, 1].
        """
        symbols, bands, seed = inputs.together(self._symbols(symbols), self._bands(bands), inputs.seed(seed))
        return {"images": self._shown(self._run("receive", symbols, bands, seed))}

    @tf.function(autograph=False)
    def communicate(self, images, bands, seed):
        """Images as they come out at the other end: `transmit`, `corrupt` and `receive` in one.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          bands: `[]`, tf.int32 in 0..T, see `receive`.
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `images`: `[N, h, w, c]`, tf.float32 in [0, 1].
        """
        images, bands, seed = inputs.together(self._images(images), self._bands(bands), inputs.seed(seed))
        return {"images": self._shown(self._run("communicate", images, bands, seed))}

    @tf.function(autograph=False)
    def rates(self, images, seed):
        """Upper bounds of what the symbols say of images, in bits per image.

        Args:
          images: `[N, h, w, c]`, tf.uint8, or tf.float32 in [0, 1].
          seed: `[2]`, tf.int32.

        Returns:
          `dict` of `[N]`, tf.float32: `rate`, the divergence of the encoder's law from the prior, and of channels that
          know them `transmission_rate` and `source_rate`, see `tfcoded.channels.RealChannel.rates`.
        """
        return self._run("rates", *inputs.together(self._images(images), inputs.seed(seed)))

    @tf.function(input_signature=[], autograph=False)
    def configuration(self):
        """The configuration as YAML (`tfcoded.config.from_yaml` reads it), a tf.string scalar."""
        return tf.constant(self._yaml)

    def signatures(self):
        """The signatures of TensorFlow Serving, and with them every trace of the methods that is to be saved.

        Returns:
          `dict` of `str` to `tf.function`. `transmit`, `communicate` and `rates` take tf.uint8 images, and with
          `_float` at the end of their name tf.float32. `serving_default` is `communicate`.
        """
        symbols = tf.TensorSpec([None, self._model.symbols], tf.float32, name="symbols")
        bands = tf.TensorSpec([], tf.int32, name="bands")
        seed = tf.TensorSpec([2], tf.int32, name="seed")
        named = {
            "corrupt": signature(self.corrupt, symbols, seed),
            "receive": signature(self.receive, symbols, bands, seed),
        }
        # uint8 first, see `CodedDVAEModule.signatures`.
        types_of_images = {"": tf.float32} if self._sends_numbers else {"": tf.uint8, "_float": tf.float32}
        for suffix, dtype in types_of_images.items():
            images = tf.TensorSpec([None, *self._item_shape], dtype, name="images")
            named[f"transmit{suffix}"] = signature(self.transmit, images, seed)
            named[f"communicate{suffix}"] = signature(self.communicate, images, bands, seed)
            named[f"rates{suffix}"] = signature(self.rates, images, seed)
        named["serving_default"] = named["communicate"]
        return named

    def _run(self, method, *arguments):
        return self._untracked.inference(method, *arguments)

    @property
    def _model(self):
        return self._untracked.inference.system

    @property
    def _item_shape(self):
        """Shape of one image, or of one vector of numbers."""
        return (self._model.source_dim,) if self._sends_numbers else self._model.item_shape

    def _images(self, images):
        if self._sends_numbers:
            return inputs.reals(images, "images", *self._item_shape)
        return inputs.images(images, self._item_shape)

    def _symbols(self, symbols):
        if self._alphabet:
            return inputs.one_of(symbols, "symbols", self._model.symbols, self._alphabet)
        return inputs.reals(symbols, "symbols", self._model.symbols)

    def _bands(self, bands):
        return inputs.count(bands, "bands", self._model.bands)

    def _shown(self, images):
        return images if self._sends_numbers else tf.clip_by_value(images, 0.0, 1.0)
