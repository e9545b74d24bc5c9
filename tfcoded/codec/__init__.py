"""The object that is saved and measured: encode, decode, reconstruct, generate, and the ends of a channel."""

__all__: list[str] = []  # its modules are imported one by one
