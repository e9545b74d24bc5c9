"""TensorFlow-GAN's evaluation functions, imported past what no longer imports."""

import sys
import types

# They subclass tf.estimator, which TensorFlow no longer has; the metrics need neither.
_BROKEN = ("tensorflow_gan.python.estimator", "tensorflow_gan.python.train")


def classifier_metrics():
    """The module `tensorflow_gan.python.eval.classifier_metrics`.

    tensorflow-gan 2.1.0 cannot be imported plainly with TensorFlow 2.16 or later. While it is imported here,
    empty modules stand for its two that fail; they are taken away again.

    Example:

    ```python
    classifier_metrics().trace_sqrt_product(covariance, other)
    ```
    """
    stand_ins = {name: types.ModuleType(name) for name in _BROKEN if name not in sys.modules}
    for module in stand_ins.values():
        module.__all__ = []
    sys.modules.update(stand_ins)
    try:
        from tensorflow_gan.python.eval import classifier_metrics as module
    finally:
        for name in stand_ins:
            del sys.modules[name]
    return module
