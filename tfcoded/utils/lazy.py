"""Modules that are imported when something of them is first used."""

import importlib
import types


class LazyModule(types.ModuleType):
    """Stands for a module in a file that is read for less, such as what a configuration may say of a code.

    `lazy_loader.load` would put its stand-in into `sys.modules`, where others look whether TensorFlow was imported.

    ```python
    tf = LazyModule("tensorflow")
    ```
    """

    def __getattr__(self, name):
        return getattr(importlib.import_module(self.__name__), name)
