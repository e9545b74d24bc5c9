"""What stands in for symbols that are lost: what every prior offers, and the priors without weights."""

from typing import Any

import keras
import tensorflow as tf

from tfcoded.channels.channel import positive
from tfcoded.distributions import BinaryConcreteLogit, standard_normal
from tfcoded.utils.random import uniform


class SymbolPrior(keras.layers.Layer):
    """A distribution of the symbols of a codeword, band by band, `p(z) = prod_t p(z_t | z_1 .. z_{t-1})`.

    `BandwidthLimitedChannel` and `ErasureChannel` ask it for what a receiver without the lost symbols would
    expect in their place. A subclass implements `sample`, and `dist_params` if its bands are Gaussian;
    `build` is given the shape `[None, T, m]` of a codeword before either is called.

    `T` is the number of bands and `m` that of the symbols in one; where single symbols are lost, `m = 1`.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Initialises the layer.

        Args:
          **kwargs: of `keras.layers.Layer`: `name`, `dtype`, `trainable`.
        """
        super().__init__(autocast=False, **kwargs)

    def dist_params(self, context: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The law of every band given the bands before it.

        Args:
          context: `[..., T, m]`, a codeword. Entry `t` of the result depends on the bands before `t` only.

        Returns:
          Pair of tensors `[..., T, m]`: mean and logarithm of the standard deviation.
        """
        raise NotImplementedError

    def sample(self, received: tf.Tensor, keep: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """Draws the symbols that were lost, given those that were not.

        Args:
          received: `[..., T, m]`, the symbols received; zero where they were lost. (Symbols that are vectors
            have further axes.)
          keep: `[..., T]`, tf.bool, which bands were received.
          seed: int32 [2].

        Returns:
          Tensor of the shape and dtype of `received`. Where `keep` holds, its values are ignored.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="tfcoded")
class GaussianPrior(SymbolPrior):
    """The prior N(0, 1) of every symbol: no weights, and what was received says nothing about what was lost.

    ```python
    prior = GaussianPrior()
    received = tf.zeros([2, 5, 20])                                        # 2 codewords of 5 bands
    prior.sample(received, keep=tf.zeros([2, 5], tf.bool), seed=(1, 2))    # [2, 5, 20]
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        4.1. https://arxiv.org/abs/2003.13367
    """

    def dist_params(self, context: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean 0 and log standard deviation 0, see `SymbolPrior.dist_params`."""
        return tf.zeros_like(context), tf.zeros_like(context)

    def sample(self, received: tf.Tensor, keep: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """Standard normal numbers, see `SymbolPrior.sample`."""
        return standard_normal(received, seed)


@keras.saving.register_keras_serializable(package="tfcoded")
class ZeroPrior(SymbolPrior):
    """Fills in zeros, with certainty: for a Gaussian code the mean of what was lost.

    ```python
    ZeroPrior().sample(tf.ones([2, 5, 20]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # zeros [2, 5, 20]
    ```
    """

    def sample(self, received: tf.Tensor, keep: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """Zeros, see `SymbolPrior.sample`; the seed is not used."""
        return tf.zeros_like(received)


@keras.saving.register_keras_serializable(package="tfcoded")
class BinaryPrior(SymbolPrior):
    """Fair bits, for codewords of bits; or the logits of fair relaxed bits, for codewords of logits.

    ```python
    BinaryPrior().sample(tf.zeros([2, 5, 20]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # zeros and ones
    BinaryPrior(temperature=0.1)                                                         # logits
    ```
    """

    def __init__(self, temperature: float | None = None, **kwargs: Any) -> None:
        """Initialises the layer.

        Args:
          temperature: `None` for bits, or the temperature of the binary concrete distribution of the logits.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if the temperature is not positive.
        """
        super().__init__(**kwargs)
        self.temperature = None if temperature is None else float(positive(temperature, "temperature"))

    def sample(self, received: tf.Tensor, keep: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """Bits of the dtype of `received`, or logits, see `SymbolPrior.sample`."""
        if self.temperature is None:
            draws = uniform(1, tf.zeros_like(received, tf.float32), seed)[0]
            return tf.cast(draws < 0.5, received.dtype)
        return BinaryConcreteLogit(tf.zeros_like(received), self.temperature).sample(seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="tfcoded")
class ErasedPrior(SymbolPrior):
    """Fills in the mark of an erasure, the last of the classes of a one-hot symbol, with certainty.

    What a receiver of `BinaryErasureChannel` sees where a band did not get through.

    ```python
    ErasedPrior().sample(tf.zeros([2, 5, 20, 3]), tf.zeros([2, 5], tf.bool), seed=(1, 2))   # all [0, 0, 1]
    ```
    """

    def sample(self, received: tf.Tensor, keep: tf.Tensor, seed: tf.types.experimental.TensorLike | None) -> tf.Tensor:
        """One-hot symbols `[..., T, m, classes]`, see `SymbolPrior.sample`; the seed is not used."""
        classes = received.shape[-1]
        return tf.broadcast_to(tf.one_hot(classes - 1, classes, dtype=received.dtype), tf.shape(received))
