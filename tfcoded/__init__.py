"""tfcoded: discrete VAEs with error-correcting codes, and neural communication over noisy channels.

A name is imported when it is first used: `import tfcoded` alone costs no TensorFlow. The names are those of
`tfcoded/__init__.pyi`.
"""

from tfcoded.utils import presets as _presets, process as _process

__version__ = "0.2.0"

_process.begin_command()  # before the imports of a command, which take longer than a first Ctrl-C

import lazy_loader as _lazy_loader

__getattr__, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)


def _restored(preset, zoo_dir):
    from tfcoded.zoo import restoring  # here, so that TensorFlow is imported for this alone

    return restoring.restored(preset, zoo_dir)


_presets.hand_in(_restored)
