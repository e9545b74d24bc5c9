"""Measuring a model as the papers do."""

__all__: list[str] = []  # its modules are imported one by one
