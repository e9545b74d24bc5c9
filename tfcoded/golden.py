"""A few inputs of a trained model and what it made of them, to find out elsewhere whether it still does.

`golden.npz` of a zoo entry holds the inputs `images` (uint8), `words` and `seed`, and under `<method>/<output>`
what the methods of the SavedModel returned for them.
"""

import io
import zipfile

import numpy as np

from tfcoded.errors import UserError

IMAGES = 4
_SEED = (2025, 4)

# float32 on other processors: other orders of summation, other fused operations. With oneDNN on and off on one
# processor, probabilities and pixels of a trained model of 26 million parameters differ by less than 1e-6.
_TOLERANCE = 1e-4
_NATS = 1e-4  # relative, of sums over the pixels
_UNDECIDED = 1e-3  # a bit this near to probability 1/2 may be rounded either way


def record(codec, images):
    """What a model makes of some images and of their words.

    Args:
      codec: the model, a SavedModel of this package or the object it was saved from.
      images: `[N, h, w, c]`, uint8; the first IMAGES are used.

    Returns:
      `bytes`, the content of a golden.npz.

    Example:

    ```python
    write_atomically("golden.npz", record(codec, dataset.test_images))
    ```
    """
    import tensorflow as tf

    images = np.asarray(images[:IMAGES])
    bits = codec.encode(tf.constant(images))["bits"].numpy()
    # Every second bit of the images' words flipped: words that no image stands for are decoded too.
    words = np.where(
        np.arange(len(images))[:, np.newaxis] % 2 == 1, bits ^ (np.arange(bits.shape[1]) % 2), bits
    )
    inputs = {"images": images, "words": words.astype(np.int32), "seed": np.array(_SEED, np.int32)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **inputs, **_outputs(codec, inputs))
    return buffer.getvalue()


def check(codec, path):
    """Compares a model with what was recorded of it.

    Args:
      codec: the model.
      path: `str` or path of the golden.npz.

    Returns:
      `int`, the number of outputs compared.

    Raises:
      UserError: if the file is missing or damaged, or an output differs by more than float32 computations on
        different processors do.
    """
    try:
        with np.load(path) as file:
            expected = {name: file[name] for name in file.files}
        inputs = {name: expected.pop(name) for name in ("images", "words", "seed")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is missing or damaged: {error}") from error
    found = _outputs(codec, inputs)
    problems = [f"no {name}" for name in sorted(found.keys() ^ expected.keys())]
    for name in sorted(found.keys() & expected.keys()):
        problem = _difference(name, found, expected)
        problems += [f"{name} {problem}"] if problem else []
    if problems:
        raise UserError(f"the model's outputs are not those in {path}: {'; '.join(problems)}")
    return len(expected)


def _outputs(codec, inputs):
    import tensorflow as tf

    images, words, seed = (tf.constant(inputs[name]) for name in ("images", "words", "seed"))
    # GPUs round the factors of a matrix product to 10 bits unless told otherwise.
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        results = {
            "encode": codec.encode(images),
            "decode": codec.decode(words, seed),
            "reconstruct": codec.reconstruct(images, seed),
            "elbo": codec.elbo(images, seed),
        }
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
    return {
        f"{method}/{name}": value.numpy()
        for method, result in results.items()
        for name, value in result.items()
    }


def _difference(name, found, expected):
    """What is wrong with one output, or `None`."""
    ours, golden = found[name], expected[name]
    if ours.shape != golden.shape or ours.dtype != golden.dtype:
        return f"is {ours.dtype} {list(ours.shape)}, not {golden.dtype} {list(golden.shape)}"
    if name == "encode/bits":
        wrong = (ours != golden) & (np.abs(expected["encode/bit_probabilities"] - 0.5) > _UNDECIDED)
        return f"differs in {wrong.sum()} bits" if wrong.any() else None
    nats = name.startswith("elbo/")
    if np.allclose(ours, golden, rtol=_NATS if nats else 0, atol=_NATS if nats else _TOLERANCE):
        return None
    return f"differs by up to {np.abs(ours - golden).max():.2g}"
