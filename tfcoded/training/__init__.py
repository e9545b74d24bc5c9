"""Training: the loop, its callbacks and the hardware."""

__all__: list[str] = []  # its modules are imported one by one
