"""Training and testing a model as pure functions of tensors, which XLA compiles into programs.

The loss is the model's own. What Keras does around it, `CodedDVAE.train_step` with `tfcoded.models.AdamL2` in
`model.fit`, is repeated here without variables.
"""

import keras
import tensorflow as tf

from tfcoded import seeds


class TrainingStep:
    """The training of a model as pure functions.

    Args:
      model: a built `tfcoded.models.CodedDVAE`; its variables are read by none of these functions.
      training: `tfcoded.config.Training`.

    Raises:
      ValueError: if the model has weights that are not trained.

    Example:

    ```python
    step = TrainingStep(model, config.training)
    weights = [tf.convert_to_tensor(weight) for weight in model.trainable_variables]
    zeros = [tf.zeros_like(weight) for weight in weights]
    state = weights, zeros, zeros, tf.constant(0)
    *state, sums = step.train(128)(*state, images, order, start=0, steps=468)
    ```
    """

    def __init__(self, model, training):
        if len(model.weights) != len(model.trainable_variables):
            raise ValueError("a training program updates trainable weights only, and this model has others")
        self._model = model
        self._training = training
        self._adam = Adam(training.learning_rate, training.l2)

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
          order of `model.trainable_variables`, `iterations` is tf.int32, the number of steps taken, `images` is
          `[N, h, w, c]`, tf.uint8, `order` `[N]`, tf.int32, a permutation, and `start` and `steps` are tf.int32: the
          steps use `images[order[start : start + steps * batch_size]]`. `sums` `[len(metric_names)]`, tf.float32, are
          metrics summed over these images.
        """

        def function(weights, momentums, velocities, iterations, images, order, start, steps):
            def body(step, weights, momentums, velocities, iterations, sums):
                batch = tf.gather(images, tf.slice(order, [start + step * batch_size], [batch_size]))
                seed = seeds.derive(self._model.seed, seeds.TRAIN, iterations, 0)
                with tf.GradientTape() as tape:
                    tape.watch(weights)
                    terms = self._terms(weights, batch, seed)
                    loss = tf.reduce_mean(terms["loss"])
                gradients = tape.gradient(loss, weights)
                iterations += 1
                weights, momentums, velocities = self._adam(weights, momentums, velocities, gradients, iterations)
                return step + 1, weights, momentums, velocities, iterations, sums + self._sums(terms)

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
                batch = tf.slice(images, [place, 0, 0, 0], [size, *images.shape[1:]])
                seed = seeds.derive(self._model.seed, seeds.TEST, place, 0)
                return self._sums(self._terms(weights, batch, seed))

            def body(place, sums):
                return place + batch_size, sums + sums_of(place, batch_size)

            rest = count % batch_size
            zeros = tf.zeros([len(self.metric_names)])
            _, sums = tf.while_loop(lambda place, _: place < count - rest, body, (0, zeros), parallel_iterations=1)
            return sums + sums_of(count - rest, rest) if rest else sums

        return function

    def _terms(self, weights, images, seed):
        variables = self._model.trainable_variables
        with keras.StatelessScope(state_mapping=list(zip(variables, weights, strict=True))):
            return self._model.training_terms(images, seed)

    def _sums(self, terms):
        loss = -terms[self._model.objective.bound]  # what is differentiated may be no bound
        terms = [loss, *(terms[name] for name in self._model.metric_names)]
        return tf.stack([tf.reduce_sum(term) for term in terms])


class Adam:
    """`tfcoded.models.AdamL2` as a pure function.

    Args:
      learning_rate: `float`.
      l2: `float`, coefficient of the decay that is added to each gradient.
    """

    def __init__(self, learning_rate, l2, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self._rate, self._l2 = learning_rate, l2
        self._beta_1, self._beta_2, self._epsilon = beta_1, beta_2, epsilon

    def __call__(self, weights, momentums, velocities, gradients, step):
        """Weights, momentums and velocities after step number `step`, tf.int32, counted from 1."""
        step = tf.cast(step, tf.float32)
        correction = tf.sqrt(1.0 - tf.pow(self._beta_2, step))
        rate = self._rate * correction / (1.0 - tf.pow(self._beta_1, step))
        epsilon = self._epsilon * correction  # of the root before its correction
        updated = []
        for weight, momentum, velocity, gradient in zip(weights, momentums, velocities, gradients, strict=True):
            gradient += self._l2 * weight
            momentum += (gradient - momentum) * (1.0 - self._beta_1)
            velocity += (tf.square(gradient) - velocity) * (1.0 - self._beta_2)
            updated.append((weight - rate * momentum / (tf.sqrt(velocity) + epsilon), momentum, velocity))
        return tuple(list(column) for column in zip(*updated))
