"""The draw decoder with auxiliary latent variables."""

import keras
import tensorflow as tf

from tfcoded.distributions import normal_kl, standard_normal
from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.draw_decoder import ConvLSTMCell, DrawDecoder
from tfcoded.networks.stock_layers import LINEAR, convolution
from tfcoded.utils import seeds

_NOISE = 0  # purpose of a seed
_FLOOR = 1e-4  # of standard deviations
_UNIT = 0.5413248546129181  # softplus(_UNIT) = 1


@keras.saving.register_keras_serializable(package="tfcoded")
class ALVDecoder(DrawDecoder):
    """Recurrent decoder that draws latent variables `v_j` of its own: images where others have blurred means.

    #### Mathematical details

    In step j, on a grid of a quarter of the image's height and width,

    ```none
    v_j ~ p(v_j | v_<j, z) = N(Conv([h_{j-1}, c]))
    h_j = ConvLSTM([c, v_j], h_{j-1})      r_j = r_{j-1} + Up(h_j)
    ```

    with the conditioning map `c = reshape(dense(z))`; `prior="unconditional"` is the literal
    `p(v) = N(0, 1)`. (`c` stands beside `h_{j-1}` because `h_0 = 0` says nothing of `z`.) The prior starts
    as N(0, 1).

    For training there is a posterior, which sees the image and what is still missing of it:

    ```none
    h^e_j = ConvLSTM([Down(x), Down(x - r_{j-1}), h_{j-1}, c], h^e_{j-1})
    v_j ~ q(v_j | v_<j, x, z) = N(Conv(h^e_j))
    ```

    Standard deviations are `softplus(.) + 1e-4`. A bound of `log p(x | z)` with pixels of standard deviation
    s is `log N(x; r_K, s^2) - sum_j KL(q(v_j | .) || p(v_j | .))`: `posterior` returns both. `call` is the
    test path: it draws from the prior and has no part in the posterior.

    For 32x32x3 images and 100 symbols it has 2,379,155 weights, 1,456,456 of them the posterior's (8 steps,
    64, 32 and 4 channels).

    #### Example

    ```python
    decoder = ALVDecoder(symbols=100, steps=2, hidden=8, condition=8, latents=2)
    images = decoder(z, seed=tf.constant([1, 2]))                         # z: [2, 100] -> [2, 32, 32, 3]
    training = decoder.posterior(z, x, seed=tf.constant([1, 2]))          # x: [2, 32, 32, 3]
    errors = tf.reduce_sum((x - training["images"]) ** 2, axis=[1, 2, 3])
    loss = errors + 2 * 0.05**2 * tf.reduce_sum(training["kl"], axis=1)   # [2], s = 0.05
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020,
        equation 9. https://arxiv.org/abs/2003.13367
    [2] Gregor, Besse, Rezende, Danihelka, Wierstra, Towards Conceptual Compression, 2016.
        https://arxiv.org/abs/1604.08772
    """

    def __init__(
        self,
        symbols,
        steps=8,
        hidden=64,
        condition=32,
        latents=4,
        prior="conditional",
        image_shape=(32, 32, 3),
        seed=0,
        name="alv_decoder",
        **kwargs,
    ):
        """Initialises the layer.

        Args:
          symbols: see `DrawDecoder`.
          steps: see `DrawDecoder`.
          hidden: see `DrawDecoder`; also of the posterior's state.
          condition: see `DrawDecoder`; also of the features of images that the posterior sees.
          latents: `int`, channels of `v_j`.
          prior: `str`, "conditional" or "unconditional", see above.
          image_shape: see `DrawDecoder`.
          seed: see `DrawDecoder`.
          name: `str`, selects the initial weights too.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if an argument is impossible.
        """
        super().__init__(
            symbols, steps, hidden, condition, image_shape, seed, further_inputs=latents, name=name, **kwargs
        )
        if prior not in ("conditional", "unconditional"):
            raise ValueError(f"prior must be 'conditional' or 'unconditional', got {prior!r}")
        self.latents = latents
        self.prior = prior
        if prior == "conditional":
            self.prior_head = convolution(
                hidden + condition, 2 * latents, 3, seed, f"{name}_prior", gain=0, dtype="float32"
            )
        channels = self.image_shape[2]
        self.down = [
            convolution(channels, condition, 4, seed, f"{name}_down_0", strides=2, gain=LINEAR),
            convolution(condition, condition, 4, seed, f"{name}_down_1", strides=2),
        ]
        self._seen = 3 * condition + hidden
        self.posterior_cell = ConvLSTMCell(self._seen, hidden, 5, seed, f"{name}_posterior_cell")
        self.posterior_head = convolution(hidden, 2 * latents, 3, seed, f"{name}_posterior", gain=1.0, dtype="float32")

    def build(self, input_shape):
        """Creates the weights, the posterior's too."""
        super().build(input_shape)
        if self.prior == "conditional":
            self.prior_head.build((None, None, None, self.hidden + self.condition))
        for layer, channels in zip(self.down, (self.image_shape[2], self.condition)):
            layer.build((None, None, None, channels))
        self.posterior_cell.build((None, *self.grid, self._seen))
        self.posterior_head.build((None, None, None, self.hidden))

    def call(self, z, seed=None, eps=None):
        """Draws images from the prior.

        Args:
          z: `[b, symbols]`.
          seed: int32 [2]; not needed where `eps` is given.
          eps: float32 `[b, steps, h/4, w/4, latents]`, standard normal.

        Returns:
          float32 `[b, h, w, c]`, not clipped to [0, 1].

        Raises:
          ValueError: if there is neither a seed nor noise.
        """
        return any_rows(self._draw, z, self._noise(z, seed, eps))

    def _draw(self, z, noise):
        c, states, canvas = self._start(z)
        for j in range(self.steps):
            mean, std = self._prior_law(states[0], c)
            states, canvas = self._paint([c, mean + std * noise[:, j]], states, canvas)
        return canvas

    def posterior(self, z, images, seed=None, eps=None):
        """Draws latent variables that explain images, and the divergence that this costs.

        Args:
          z: `[b, symbols]`.
          images: `[b, h, w, c]`.
          seed: see `call`.
          eps: see `call`.

        Returns:
          dict of float32 tensors: `"images"` `[b, h, w, c]`, the means of the pixels; `"kl"` `[b, steps]`,
          the divergence of every step in nats; `"log_ratio"` `[b, steps]`, `log q(v_j | .) - log p(v_j | .)`
          of the latent variables drawn, for bounds of several samples.

        Raises:
          ValueError: see `call`.
        """
        return any_rows(self._explain, z, tf.cast(images, tf.float32), self._noise(z, seed, eps))

    def _explain(self, z, images, noise):
        c, states, canvas = self._start(z)
        seen = self._features(images)
        posterior_states = self.posterior_cell.zero_state(c)
        divergences, ratios = [], []
        for j in range(self.steps):
            prior_mean, prior_std = self._prior_law(states[0], c)
            features = tf.concat([seen, self._features(images - canvas), states[0], c], axis=-1)
            h, posterior_states = self.posterior_cell(features, posterior_states)
            mean, std = _law(self.posterior_head(h))
            v = mean + std * noise[:, j]
            log_std, prior_log_std = tf.math.log(std), tf.math.log(prior_std)
            divergences.append(_total(normal_kl(mean, log_std, prior_mean, prior_log_std)))
            # Both squares are of order 1: what they share with log(2 pi) is left out.
            squares = tf.square((v - prior_mean) / prior_std) - tf.square(noise[:, j])
            ratios.append(_total(prior_log_std - log_std + 0.5 * squares))
            states, canvas = self._paint([c, v], states, canvas)
        return {"images": canvas, "kl": tf.stack(divergences, axis=1), "log_ratio": tf.stack(ratios, axis=1)}

    @property
    def posterior_variables(self):
        """The trainable variables that only `posterior` uses."""
        layers = (*self.down, self.posterior_cell, self.posterior_head)
        return [variable for layer in layers for variable in layer.trainable_variables]

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "latents": self.latents, "prior": self.prior}

    def _noise(self, z, seed, eps):
        if eps is not None:
            return eps
        if seed is None:
            raise ValueError("latent variables are drawn: pass seed= (int32 [2]), or the noise as eps=")
        shape = [self.steps, *self.grid, self.latents]
        like = tf.zeros(tf.concat([tf.shape(z)[:1], shape], axis=0))
        return standard_normal(tf.ensure_shape(like, [z.shape[0], *shape]), seeds.derive(seed, _NOISE))

    def _prior_law(self, h, c):
        """Mean and standard deviation of the next latent variables, float32 `[b, h/4, w/4, latents]`."""
        if self.prior == "conditional":
            return _law(self.prior_head(tf.concat([h, c], axis=-1)))
        zeros = tf.zeros(tf.concat([tf.shape(c)[:-1], [self.latents]], axis=0))
        return zeros, tf.ones_like(zeros)

    def _features(self, images):
        return self.down[1](tf.nn.relu(self.down[0](images)))


def _law(parameters):
    mean, raw = tf.split(parameters, 2, axis=-1)
    return mean, tf.nn.softplus(raw + _UNIT) + _FLOOR


def _total(x):
    return tf.reduce_sum(x, axis=[1, 2, 3])
