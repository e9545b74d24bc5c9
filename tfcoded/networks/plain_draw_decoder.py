"""The draw decoder whose only latent variables are the channel symbols."""

import keras

from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.draw_decoder import DrawDecoder


@keras.saving.register_keras_serializable(package="tfcoded")
class PlainDrawDecoder(DrawDecoder):
    """Recurrent decoder, symbols `z : [b, symbols]` to mean images, float32 `[b, h, w, c]`, not clipped.

    ```none
    c = reshape(dense(z))      h_j = ConvLSTM(c, h_{j-1})      r_j = r_{j-1} + Up(h_j)      mean = r_K
    ```

    This is how the paper's "unconditional ConvDraw decoder" is read: nothing random beside the channel. For
    32x32x3 images and 100 symbols it has 890,179 weights (8 steps, 64 and 32 channels).

    ```python
    decoder = PlainDrawDecoder(symbols=100, steps=2, hidden=8, condition=8)
    decoder(tf.zeros([2, 100]))        # [2, 32, 32, 3]
    ```

    The arguments of the constructor are those of `DrawDecoder` but `further_inputs`.

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        6.2. https://arxiv.org/abs/2003.13367
    """

    def __init__(
        self,
        symbols,
        steps=8,
        hidden=64,
        condition=32,
        image_shape=(32, 32, 3),
        seed=0,
        name="plain_draw_decoder",
        **kwargs,
    ):
        super().__init__(symbols, steps, hidden, condition, image_shape, seed, name=name, **kwargs)

    def call(self, z):
        """See the class."""
        return any_rows(self._means, z)

    def _means(self, z):
        c, states, canvas = self._start(z)
        for _ in range(self.steps):
            states, canvas = self._paint([c], states, canvas)
        return canvas
