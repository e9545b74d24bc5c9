"""What `from_preset` of the models calls: the zoo's function, which lies above the models and is handed in."""

_restore = None


def hand_in(restore):
    """Sets what `restored` calls: a function that takes a preset and a zoo_dir."""
    global _restore
    _restore = restore


def restored(preset, zoo_dir=None):
    """See `tfcoded.zoo.restoring.restored`."""
    return _restore(preset, zoo_dir)
