"""Image quality, bit and word errors, calibration, likelihoods, and the protocol that measures a whole model."""

import lazy_loader

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
