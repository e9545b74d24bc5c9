"""What every room needs: errors, files, seeds, progress."""

__all__: list[str] = []  # its modules are imported one by one
