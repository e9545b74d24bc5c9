"""Training and testing a model as pure functions of tensors, which XLA compiles into programs.

The loss is the model's own. What Keras does around it, `StochasticModel.train_step` with `tfcoded.models.AdamL2` in
`model.fit`, is repeated here without variables.
"""

import keras
import tensorflow as tf

from tfcoded.models.stochastic_model import clip_together
from tfcoded.utils import seeds


class TrainingStep:
    """The training of a model as pure functions.

    Args:
      model: a built `tfcoded.models.StochasticModel`; its variables are read by none of these functions.
      optimizer: `tfcoded.models.AdamL2`, of which the settings are used.

    Example:

    ```python
    step = TrainingStep(model, models.optimizer(config, total_steps))
    weights = [tf.convert_to_tensor(variable) for variable in step.variables]
    zeros = [tf.zeros_like(weight) for weight in weights[: step.trained]]
    state = weights, zeros, zeros, tf.constant(0)
    *state, sums = step.train(128)(*state, images, order, start=0, steps=468)
    ```
    """

    def __init__(self, model, optimizer):
        self._model = model
        self._adam = Adam(optimizer)

    @property
    def variables(self):
        """The model's weights, a list: the `trained` ones that the optimizer updates, then those that the model does."""
        return [*self._model.trainable_weights, *self._model.non_trainable_weights]

    @property
    def trained(self):
        """How many of the `variables` have a gradient, `int`."""
        return len(self._model.trainable_weights)

    @property
    def metric_names(self):
        """Names of the sums, a tuple of `str`."""
        return ("loss", *self._model.metric_names)

    def train(self, batch_size):
        """A function that takes optimizer steps.

        Args:
          batch_size: `int`, images per step.

        Returns:
          A function `(weights, momentums, velocities, iterations, images, order, start, steps)` that gives
          `(weights, momentums, velocities, iterations, sums)`. The first three are lists of tf.float32 tensors in the
          order of `variables`, the moments only of those that are trained, `iterations` is tf.int32, the number of
          steps taken, `images` is `[N, ...]`, tf.uint8, `order` `[N]`, tf.int32, a permutation, and `start` and `steps`
          are tf.int32: the steps use `images[order[start : start + steps * batch_size]]`. `sums`
          `[len(metric_names)]`, tf.float32, are metrics summed over these images.
        """

        def function(weights, momentums, velocities, iterations, images, order, start, steps):
            def body(step, weights, momentums, velocities, iterations, sums):
                batch = tf.gather(images, tf.slice(order, [start + step * batch_size], [batch_size]))
                seed = seeds.derive(self._model.seed, seeds.TRAIN, iterations, 0)
                trained = weights[: self.trained]
                with tf.GradientTape() as tape:
                    tape.watch(trained)
                    terms, others = self._terms(weights, batch, seed, iterations)
                    loss = tf.reduce_mean(terms["loss"])
                gradients = tape.gradient(loss, trained)
                if self._model.clip_norm is not None:
                    replica = tf.distribute.get_replica_context()
                    gradients = clip_together(gradients, self._model.clip_norm, replica)
                trained, momentums, velocities = self._adam(trained, momentums, velocities, gradients, iterations)
                weights = [*trained, *others]
                return step + 1, weights, momentums, velocities, iterations + 1, sums + self._sums(terms)

            zeros = tf.zeros([len(self.metric_names)])
            start_of_loop = (0, weights, momentums, velocities, iterations, zeros)
            return tf.while_loop(lambda step, *_: step < steps, body, start_of_loop, parallel_iterations=1)[1:]

        return function

    def evaluate(self, batch_size):
        """A function that tests.

        Args:
          batch_size: `int`, images per step, which the noise depends on; the last step takes what remains.

        Returns:
          A function `(weights, images)` that gives the metrics' sums over all images,
          `[len(metric_names)]`, tf.float32.
        """

        def function(weights, images):
            count = images.shape[0]

            def sums_of(place, size):
                batch = tf.slice(images, [place] + [0] * (images.shape.rank - 1), [size, *images.shape[1:]])
                seed = seeds.derive(self._model.seed, seeds.TEST, place, 0)
                return self._sums(self._terms(weights, batch, seed, None)[0])

            def body(place, sums):
                return place + batch_size, sums + sums_of(place, batch_size)

            rest = count % batch_size
            sums = tf.zeros([len(self.metric_names)])
            if count > rest:  # a loop is traced even if it never runs, and there is no whole batch to slice
                _, sums = tf.while_loop(lambda place, _: place < count - rest, body, (0, sums), parallel_iterations=1)
            return sums + sums_of(count - rest, rest) if rest else sums

        return function

    def _terms(self, weights, images, seed, step):
        """The model's terms, and the values that the weights which are not trained have afterwards."""
        with keras.StatelessScope(state_mapping=list(zip(self.variables, weights, strict=True))) as scope:
            terms = self._model.training_terms(images, seed, step)
        return terms, [scope.get_current_value(variable) for variable in self.variables[self.trained :]]

    def _sums(self, terms):
        terms = [self._model.reported_loss(terms), *(terms[name] for name in self._model.metric_names)]
        return tf.stack([tf.reduce_sum(term) for term in terms])


class Adam:
    """The update of a `tfcoded.models.AdamL2` as a pure function.

    Args:
      optimizer: `AdamL2`; its variables are not read later.
    """

    def __init__(self, optimizer):
        settings = optimizer.get_config()
        self._rate, self._l2, self._epsilon = (settings[name] for name in ("learning_rate", "l2", "epsilon"))
        self._beta_1, self._beta_2 = settings["beta_1"], settings["beta_2"]
        if isinstance(self._rate, dict):
            self._rate = keras.optimizers.schedules.deserialize(self._rate)

    def __call__(self, weights, momentums, velocities, gradients, iterations):
        """Weights, momentums and velocities after one more step than `iterations`, tf.int32."""
        rate = self._rate(iterations) if callable(self._rate) else self._rate
        step = tf.cast(iterations + 1, tf.float32)
        correction = tf.sqrt(1.0 - tf.pow(self._beta_2, step))
        rate = rate * correction / (1.0 - tf.pow(self._beta_1, step))
        epsilon = self._epsilon * correction  # of the root before its correction
        updated = []
        for weight, momentum, velocity, gradient in zip(weights, momentums, velocities, gradients, strict=True):
            if gradient is not None:  # else the weight has no part in the loss, and Keras leaves it alone
                gradient += self._l2 * weight
                momentum += (gradient - momentum) * (1.0 - self._beta_1)
                velocity += (tf.square(gradient) - velocity) * (1.0 - self._beta_2)
                weight -= rate * momentum / (tf.sqrt(velocity) + epsilon)
            updated.append((weight, momentum, velocity))
        return tuple(list(column) for column in zip(*updated))
