"""The experiments of the paper on the bandwidth-limited channel: trainings, measurements, claims, tables, figures."""

__all__: list[str] = []  # its modules are imported one by one
