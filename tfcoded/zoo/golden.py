"""A few inputs of a trained model and what it made of them, to find out elsewhere whether it still does.

`golden.npz` of a zoo entry holds the inputs `images` (uint8), `seed` and others that the kind of model needs, such as
`words`, and under `<method>/<output>` what the methods of the SavedModel returned for them.
"""

import numpy as np

from tfcoded import families
from tfcoded.utils import npz
from tfcoded.utils.errors import UserError

IMAGES = 4
_SEED = (2025, 4)

# float32 on other processors: other orders of summation, other fused operations. With oneDNN on and off on one
# processor, probabilities and pixels of a trained model of 26 million parameters differ by less than 1e-6.
_TOLERANCE = 1e-4
_SUMS = 1e-4  # relative, of sums over pixels or symbols
_UNDECIDED = 1e-3  # a bit this near to probability 1/2 may be rounded either way


def record(codec, config, images):
    """What a model makes of some images, and of its words or symbols.

    Args:
      codec: the model, a SavedModel of this package or the object it was saved from.
      config: its configuration.
      images: `[N, ...]`, uint8, of its data set; the first IMAGES are used.

    Returns:
      `bytes`, the content of a golden.npz.
    """
    inputs = {"images": np.asarray(images[:IMAGES]), "seed": np.array(_SEED, np.int32)}
    inputs |= families.of(config).golden_inputs(codec, config, **inputs)
    return npz.packed(inputs | _outputs(codec, config, inputs), compressed=True)


def check(codec, config, path):
    """Compares a model with what was recorded of it.

    Args:
      codec: the model.
      config: its configuration.
      path: `str` or path of the golden.npz.

    Returns:
      `int`, the number of outputs compared.

    Raises:
      UserError: if the file is missing or damaged, or an output differs by more than float32 computations on
        different processors do.
    """
    try:
        expected = npz.read(path)
        inputs = {name: expected.pop(name) for name in list(expected) if "/" not in name}
        found = _outputs(codec, config, inputs)
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise UserError(f"{path} is missing or damaged: {error}") from error
    problems = [f"no {name}" for name in sorted(found.keys() ^ expected.keys())]
    for name in sorted(found.keys() & expected.keys()):
        problem = _difference(name, found, expected)
        problems += [f"{name} {problem}"] if problem else []
    if problems:
        raise UserError(f"the model's outputs are not those in {path}: {'; '.join(problems)}")
    return len(expected)


def _outputs(codec, config, inputs):
    import tensorflow as tf

    # GPUs round the factors of a matrix product to 10 bits unless told otherwise.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        results = families.of(config).golden_outputs(
            codec, {name: tf.constant(value) for name, value in inputs.items()}
        )
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
    return {f"{method}/{name}": value.numpy() for method, result in results.items() for name, value in result.items()}


def _difference(name, found, expected):
    """What is wrong with one output, or `None`."""
    ours, golden = found[name], expected[name]
    if ours.shape != golden.shape or ours.dtype != golden.dtype:
        return f"is {ours.dtype} {list(ours.shape)}, not {golden.dtype} {list(golden.shape)}"
    if name == "encode/bits":
        wrong = (ours != golden) & (np.abs(expected["encode/bit_probabilities"] - 0.5) > _UNDECIDED)
        return f"differs in {wrong.sum()} bits" if wrong.any() else None
    sums = name.startswith(("elbo/", "rates/"))
    if np.allclose(ours, golden, rtol=_SUMS if sums else 0, atol=_SUMS if sums else _TOLERANCE):
        return None
    return f"differs by up to {np.abs(ours - golden).max():.2g}"
