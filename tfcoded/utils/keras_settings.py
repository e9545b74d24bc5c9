"""Keras' settings of the user: the file keras.json and the variables KERAS_*. Models here train in float32 on TensorFlow."""

import contextlib
import os

from tfcoded.utils.errors import UserError


def ignore():
    """Makes Keras ignore its user's settings; for commands, before Keras is imported."""
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ["KERAS_HOME"] = os.devnull  # no folder, so that there is no keras.json to read or to write


def require():
    """Refuses a backend or a `floatx` that the models here cannot be trained with.

    Raises:
      UserError: naming the setting.
    """
    try:
        import keras
    except (ImportError, ValueError) as error:  # the backend is not installed or unknown, another setting impossible
        raise UserError(
            f"Keras cannot be imported: {error}; set the environment variable KERAS_BACKEND=tensorflow, and see keras.json"
        ) from error
    if keras.config.backend() != "tensorflow":
        raise UserError(
            f"the backend of Keras is {keras.config.backend()!r}, by KERAS_BACKEND or keras.json; expected 'tensorflow': "
            "set the environment variable KERAS_BACKEND=tensorflow"
        )
    if keras.config.floatx() != "float32":
        raise UserError(
            f"the setting floatx of Keras is {keras.config.floatx()!r}, by keras.json or set_floatx; expected 'float32': "
            "call keras.config.set_floatx('float32') and keras.config.set_dtype_policy('float32') first"
        )


@contextlib.contextmanager
def dtype_policy(policy):
    """A context in which layers are made with a policy, such as "mixed_bfloat16"; the one before is set again."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
