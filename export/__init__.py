"""From trained models to SavedModels that need nothing but TensorFlow: `python -m export --help`."""

# How kernels are stored. Here, so that a command line can name them without importing TensorFlow.
STORAGES = ("float32", "bfloat16", "int8", "int6", "int5", "int4")
