"""What a prior over channel symbols offers."""

import keras


class SymbolPrior(keras.layers.Layer):
    """A distribution of the symbols of a codeword, band by band, `p(z) = prod_t p(z_t | z_1 .. z_{t-1})`.

    `BandwidthLimitedChannel` and `ErasureChannel` ask it for what a receiver without the lost symbols would
    expect in their place. A subclass implements `sample`, and `dist_params` if its bands are Gaussian;
    `build` is given the shape `[None, T, m]` of a codeword before either is called.

    `T` is the number of bands and `m` that of the symbols in one; where single symbols are lost, `m = 1`.
    """

    def __init__(self, **kwargs):
        """Initialises the layer.

        Args:
          **kwargs: of `keras.layers.Layer`: `name`, `dtype`, `trainable`.
        """
        super().__init__(autocast=False, **kwargs)

    def dist_params(self, context):
        """The law of every band given the bands before it.

        Args:
          context: `[..., T, m]`, a codeword. Entry `t` of the result depends on the bands before `t` only.

        Returns:
          Pair of tensors `[..., T, m]`: mean and logarithm of the standard deviation.
        """
        raise NotImplementedError

    def sample(self, received, keep, seed):
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
