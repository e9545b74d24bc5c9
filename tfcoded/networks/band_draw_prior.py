"""A prior over channel symbols that learns what the bands received say about those that were lost."""

import keras
import tensorflow as tf

from tfcoded.channels import SymbolPrior
from tfcoded.distributions import standard_normal
from tfcoded.networks.any_rows import any_rows
from tfcoded.networks.draw_decoder import ConvLSTMCell
from tfcoded.networks.stock_layers import dense, seed_of

_GRID = (2, 2)  # on which the spatial form arranges the symbols of a band


@keras.saving.register_keras_serializable(package="tfcoded")
class BandDrawPrior(SymbolPrior):
    """Recurrent prior, band by band: one step of a DRAW prior for every band.

    #### Mathematical details

    The bands of a codeword `z : [..., T, m]` are normal given those before them,

    ```none
    p(z) = prod_t N(z_t; a_t, d_t^2)     (a_t, log d_t) = head(h_{t-1})     h_t = cell(z_t, h_{t-1})
    ```

    `h_0` is learned, `log d_t` clipped to [-5, 2], and the head starts with zeros: before training this is
    `GaussianPrior`. The cell is a GRU, or with `form="spatial"` a 3x3 `ConvLSTMCell` on a grid of 2x2
    positions with a quarter of the band's symbols each.

    A receiver knows the bands received, so these are the context: `sample` puts every received band into
    the state, and its own draw in place of a lost one. A divergence for training is likewise evaluated with
    `dist_params` of what was received. (The paper prints the marginal law of a band; conditioning is what
    allows such a prior to help a receiver that holds some bands.) No gradient of a distortion reaches
    the weights unless the channel is told so (`filler_grad=True`): they learn by the divergence.

    #### Of which symbols

    The layer models whatever its divergence compares it with. Let `sent` be what the channel returned and
    `a, log d` what `dist_params(z)` returns for its `"received"`:

    * the channel's input `y` (the paper): `normal_kl(mu, log(sig), a, log d)`;
    * the channel's output `z`: `normal_kl(mu, log(sqrt(sig^2 + noise_std^2)), a, log d)`, which makes filler
      and received bands alike without `fill_noise="channel"`.

    With 20 symbols in a band it has 62,888 weights, in its spatial form 43,338. The steps are unrolled: it is
    meant for a handful of bands, not for the single symbols of `ErasureChannel`.

    #### Example

    ```python
    prior = BandDrawPrior()
    channel = BandwidthLimitedChannel(GaussianChannel(1.0), bands=5, prior=prior)
    sent = channel(mu, log_sig, seed=(1, 2), training=True)                     # mu: [128, 100]
    mean, log_std = prior.dist_params(tf.reshape(sent["received"], [-1, 5, 20]))   # [128, 5, 20] each
    ```

    #### References

    [1] Ullrich, Viola, Rezende, Neural Communication Systems with Bandwidth-limited Channel, 2020, section
        6.2. https://arxiv.org/abs/2003.13367
    [2] Gregor, Besse, Rezende, Danihelka, Wierstra, Towards Conceptual Compression, 2016 (convolutional
        DRAW). https://arxiv.org/abs/1604.08772
    """

    def __init__(self, units=None, form="recurrent", seed=0, name="band_draw_prior", **kwargs):
        """Initialises the layer.

        Args:
          units: `int`, size of the state: units of the GRU (`None`: 128), or channels of the ConvLSTM (32).
          form: `str`, "recurrent" or "spatial", see above.
          seed: `int`, selects the initial weights.
          name: `str`, selects them too.
          **kwargs: of `keras.layers.Layer`.

        Raises:
          ValueError: if `form` is unknown.
        """
        super().__init__(name=name, **kwargs)
        if form not in ("recurrent", "spatial"):
            raise ValueError(f"form must be 'recurrent' or 'spatial', got {form!r}")
        self.form = form
        self.units = units or (128 if form == "recurrent" else 32)
        self.seed = seed

    def build(self, input_shape):
        """Creates the weights for codewords `[..., T, m]`.

        With u units of a GRU they are `3u (m + u + 2) + u + 2m (u + 1)`.

        Raises:
          ValueError: if the number of bands or symbols is unknown, or a band does not fit the grid.
        """
        *_, self.bands, self.symbols = input_shape
        if self.bands is None or self.symbols is None:
            raise ValueError(f"the shape of a codeword must be [..., bands, symbols], got {input_shape}")
        policy = self.dtype_policy

        def seed(of):
            return seed_of(self.seed, f"{self.name}/{of}")

        if self.form == "recurrent":
            self._grid, channels = (), self.symbols
            self.cell = keras.layers.GRUCell(
                self.units,
                kernel_initializer=keras.initializers.GlorotUniform(seed("kernel")),
                recurrent_initializer=keras.initializers.Orthogonal(seed=seed("recurrent")),
                seed=0,  # of a dropout that is not used
                name=f"{self.name}_cell",
                dtype=policy,
            )
            states = 1
        else:
            positions = _GRID[0] * _GRID[1]
            if self.symbols % positions:
                raise ValueError(f"form='spatial' needs bands of a multiple of {positions} symbols, got {self.symbols}")
            self._grid, channels = _GRID, self.symbols // positions
            name = f"{self.name}_cell"
            self.cell = ConvLSTMCell(channels, self.units, 3, self.seed, name, dtype=policy)
            states = 2
        self.cell.build((None, *self._grid, channels))
        self._channels = channels
        self.head = dense(self.units, 2 * channels, self.seed, f"{self.name}_head", gain=0, dtype="float32")
        self.head.build((None, *self._grid, self.units))
        self.initial = [
            self.add_weight(name=f"initial_{i}", shape=(*self._grid, self.units), initializer="zeros", dtype="float32")
            for i in range(states)
        ]

    def dist_params(self, context):
        """See `SymbolPrior.dist_params`: `(a, log d)` of every band, of the dtype of `context`."""
        laws = any_rows(self._laws, self._flat(context))
        return tuple(self._like(flat, context) for flat in laws)

    def _laws(self, bands):
        """Means and log standard deviations, float32 `[b, T, m]`."""
        means, log_stds = [], []
        states = self._start(bands)
        for t in range(self.bands):
            mean, log_std = self._law(states)
            means.append(mean)
            log_stds.append(log_std)
            if t + 1 < self.bands:
                states = self._advance(bands[:, t], states)
        return tf.stack(means, axis=1), tf.stack(log_stds, axis=1)

    def sample(self, received, keep, seed):
        """See `SymbolPrior.sample`. What a lost band's draw depends on is received or drawn before it."""
        noise = self._flat(standard_normal(received, seed))
        keep = tf.reshape(keep, [-1, self.bands, 1])
        return self._like(any_rows(self._draws, self._flat(received), noise, keep), received)

    def _draws(self, bands, noise, keep):
        """What was drawn of every band, float32 `[b, T, m]`."""
        draws = []
        states = self._start(bands)
        for t in range(self.bands):
            mean, log_std = self._law(states)
            draws.append(mean + tf.exp(log_std) * noise[:, t])
            if t + 1 < self.bands:
                states = self._advance(tf.where(keep[:, t], bands[:, t], draws[-1]), states)
        return tf.stack(draws, axis=1)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "form": self.form, "seed": self.seed}

    def _flat(self, symbols):
        """Codewords as float32 `[b, T, m]`: the law is float32, whatever the precision of the networks."""
        shape = (self.bands, self.symbols)
        if not symbols.shape[-2:].is_compatible_with(shape):
            raise ValueError(f"this prior was built for codewords {[..., *shape]}, got {symbols.shape}")
        return tf.reshape(tf.cast(symbols, tf.float32), [-1, *shape])

    def _like(self, flat, symbols):
        return tf.ensure_shape(tf.cast(tf.reshape(flat, tf.shape(symbols)), symbols.dtype), symbols.shape)

    def _start(self, bands):
        batch = tf.shape(bands)[0]
        return [tf.broadcast_to(h, [batch, *h.shape]) for h in map(tf.convert_to_tensor, self.initial)]

    def _advance(self, band, states):
        _, states = self.cell(tf.reshape(band, [-1, *self._grid, self._channels]), states)
        return states

    def _law(self, states):
        """Mean and log standard deviation, float32 `[b, m]`, of the next band."""
        mean, log_std = tf.split(self.head(states[0]), 2, axis=-1)
        mean, log_std = (tf.reshape(x, [-1, self.symbols]) for x in (mean, log_std))
        return mean, tf.clip_by_value(log_std, -5, 2)
