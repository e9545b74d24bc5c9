"""Log-likelihoods: by importance sampling and by enumeration of the words."""

__all__: list[str] = []  # its modules are imported one by one
