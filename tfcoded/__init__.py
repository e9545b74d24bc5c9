"""tfcoded: discrete VAEs with error-correcting codes, and neural communication over noisy channels."""

__version__ = "0.1.0"
