"""Trains exported programs on any PJRT device, with JAX and NumPy and without TensorFlow: docs/pjrt.md."""
