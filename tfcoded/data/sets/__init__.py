"""The data sets that are known by name, one a file; every file is imported here, and registers what it describes."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__: list[str] = []  # its modules are imported one by one
