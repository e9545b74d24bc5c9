"""How kernels are stored: rounded, packed, and restored when a SavedModel is loaded."""

__all__ = ["STORAGES"]

# How kernels are stored. Here, so that a command line can name them without importing TensorFlow.
STORAGES = ("float32", "bfloat16", "int8", "int6", "int5", "int4", "compensated")
