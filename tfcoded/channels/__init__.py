"""Noisy channels as Keras layers, their capacities, and what stands in for symbols that are lost."""

from tfcoded.utils import keras_settings

keras_settings.require()  # one line, not an error from the depths of Keras

from tfcoded.channels.bandwidth_limited import BandwidthLimitedChannel
from tfcoded.channels.binary_erasure import BinaryErasureChannel
from tfcoded.channels.binary_prior import BinaryPrior
from tfcoded.channels.binary_symmetric import BinarySymmetricChannel
from tfcoded.channels.capacity import (
    binary_entropy,
    binary_symmetric_capacity,
    erasure_capacity,
    gaussian_capacity,
)
from tfcoded.channels.channel import Channel
from tfcoded.channels.densities import channel_distribution, encoder_distribution, received_distribution
from tfcoded.channels.erased_prior import ErasedPrior
from tfcoded.channels.erasure import ErasureChannel
from tfcoded.channels.gaussian import GaussianChannel
from tfcoded.channels.gaussian_prior import GaussianPrior
from tfcoded.channels.prior import SymbolPrior
from tfcoded.channels.rates import source_rate, transmission_rate
from tfcoded.channels.snr import (
    binary_symmetric_snr,
    keep_probability,
    measured_snr,
    snr_from_decibel,
    snr_to_decibel,
)
from tfcoded.channels.zero_prior import ZeroPrior

__all__ = [
    "BandwidthLimitedChannel",
    "BinaryErasureChannel",
    "BinaryPrior",
    "BinarySymmetricChannel",
    "Channel",
    "ErasedPrior",
    "ErasureChannel",
    "GaussianChannel",
    "GaussianPrior",
    "SymbolPrior",
    "ZeroPrior",
    "binary_entropy",
    "binary_symmetric_capacity",
    "binary_symmetric_snr",
    "channel_distribution",
    "encoder_distribution",
    "erasure_capacity",
    "gaussian_capacity",
    "keep_probability",
    "measured_snr",
    "received_distribution",
    "snr_from_decibel",
    "snr_to_decibel",
    "source_rate",
    "transmission_rate",
]
