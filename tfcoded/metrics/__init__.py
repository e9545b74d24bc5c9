"""Image quality, bit and word errors, calibration, likelihoods, and the protocol that measures a whole model."""

from tfcoded.metrics.bits import bit_errors, word_errors
from tfcoded.metrics.image_quality import psnr, ssim
from tfcoded.metrics.protocol import as_float, error_metrics, reconstruction_metrics
from tfcoded.metrics.summary import Estimate, estimate
from tfcoded.metrics.usage import word_usage
from tfcoded.metrics.words import most_probable_words

__all__ = [
    "Estimate",
    "as_float",
    "bit_errors",
    "error_metrics",
    "estimate",
    "most_probable_words",
    "psnr",
    "reconstruction_metrics",
    "ssim",
    "word_errors",
    "word_usage",
]
