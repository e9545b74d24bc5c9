"""A variable that is computed when a SavedModel is loaded instead of being stored in it."""

import uuid

import tensorflow as tf


class Derived(tf.saved_model.experimental.TrackableResource):
    """A float32 variable whose value is computed from stored variables, once, when the model is loaded.

    A checkpoint does not contain it. `tf.saved_model.load` runs the computation after it has restored the
    stored variables, and so does the C++ loader of TensorFlow Serving: SavedModel treats it as it does a
    lookup table. Calls therefore cost what they cost with float32 storage.

    Args:
      stored: `tf.Module` with a method `restored()` that gives the value, and an attribute `shape`, its `tf.TensorShape`.

    Example:

    ```python
    kernel = Derived(Int8(value))
    y = x @ kernel.read()
    ```
    """

    def __init__(self, stored):
        super().__init__()
        self._stored = stored
        self._track_trackable(stored, "stored")
        self._shape = stored.shape
        # Equal names would share one variable. The Python loader makes names unique once more at every load.
        self._name = f"derived_{uuid.uuid4().hex}"
        self._initialize()

    def read(self):
        """The value, tf.float32."""
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.float32)
        return tf.ensure_shape(value, self._shape)

    # The three methods that TrackableResource asks for.

    def _create_resource(self):
        return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=self._shape, shared_name=self._name)

    def _initialize(self):
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=self._stored.restored())

    def _destroy_resource(self):
        # Not stored: TensorFlow would run it when a loaded model was saved again, for a copy of this object, and destroy
        # the variable of the loaded model.
        if not tf.inside_function():
            tf.raw_ops.DestroyResourceOp(resource=self.resource_handle, ignore_lookup_error=True)
