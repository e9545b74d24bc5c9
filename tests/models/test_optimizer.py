import keras
import numpy as np
import pytest

from tfcoded.models import AdamL2


def reference(weights, gradients, learning_rate, l2, steps):
    """Adam of the paper with the decay added to the gradient, in float64."""
    weights = [w.astype(np.float64) for w in weights]
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for step in range(1, steps + 1):
        for k, w in enumerate(weights):
            g = gradients[step - 1][k] + l2 * w
            m[k] = 0.9 * m[k] + 0.1 * g
            v[k] = 0.999 * v[k] + 0.001 * g**2
            w -= learning_rate * (m[k] / (1 - 0.9**step)) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)
    return weights


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_equals_the_textbook(l2):
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,)]
    start = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    gradients = [[rng.normal(size=shape) * 10.0 ** rng.integers(-6, 2) for shape in shapes] for _ in range(20)]
    variables = [keras.Variable(value) for value in start]
    optimizer = AdamL2(learning_rate=0.01, l2=l2)
    for step in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in step], variables)
    for variable, expected in zip(variables, reference(start, gradients, 0.01, l2, 20)):
        # float32 moments over 20 steps; the decay alone moves the weights by a hundred times this bound.
        np.testing.assert_allclose(variable.numpy(), expected, atol=2e-5)


def test_decay_is_not_decoupled():
    # A constant gradient of 1 on a weight of 0 with and without decay: the first step has the learning rate's size
    # whatever the decay, while AdamW would shrink the weight besides.
    variable = keras.Variable([5.0])
    AdamL2(learning_rate=0.1, l2=0.5).apply([keras.ops.zeros([1])], [variable])
    np.testing.assert_allclose(variable.numpy(), [4.9], atol=1e-6)


def test_configuration_round_trip():
    optimizer = AdamL2(learning_rate=0.5, l2=0.25, epsilon=1e-5)
    copy = AdamL2.from_config(optimizer.get_config())
    assert (float(copy.learning_rate), copy.l2, copy.epsilon) == (0.5, 0.25, 1e-5)


def test_other_kinds_of_decay_are_refused():
    with pytest.raises(ValueError, match="set l2, or use keras.optimizers.AdamW"):
        AdamL2(weight_decay=1e-4)
