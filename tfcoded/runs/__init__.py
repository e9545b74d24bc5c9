"""The folder of a training: its settings, checkpoints and records."""

__all__: list[str] = []  # its modules are imported one by one
