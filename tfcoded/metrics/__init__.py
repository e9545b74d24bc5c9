"""Image quality, bit and word errors, calibration, likelihoods, and the protocol that measures a whole model.

`register` adds a group of metrics of one's own to those of `--metrics`. TensorFlow is imported by what measures.
"""

import lazy_loader

from tfcoded.metrics import groups as _groups  # noqa: F401  # registers the groups
from tfcoded.metrics.registry import METRICS, Measured, Metric, Model, Option, register

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bits": ["bit_errors", "word_errors"],
        "image_quality": ["psnr", "ssim"],
        "protocol": ["as_float", "error_metrics", "reconstruction_metrics"],
        "summary": ["Estimate", "estimate"],
        "usage": ["word_usage"],
        "words": ["most_probable_words"],
    },
)
__all__ += ["METRICS", "Measured", "Metric", "Model", "Option", "register"]
