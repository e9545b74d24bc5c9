"""The folder of a training: its settings, checkpoints and records."""
