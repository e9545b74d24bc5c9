"""Noisy channels as Keras layers, their capacities, and what stands in for symbols that are lost."""

from tfcoded.utils import keras_settings

keras_settings.require()  # one line, not an error from the depths of Keras

from tfcoded.channels.bandwidth_limited import BandwidthLimitedChannel
from tfcoded.channels.binary import BinaryErasureChannel, BinarySymmetricChannel
from tfcoded.channels.capacity import (
    binary_entropy,
    binary_symmetric_capacity,
    binary_symmetric_snr,
    erasure_capacity,
    gaussian_capacity,
    keep_probability,
    measured_snr,
    snr_from_decibel,
    snr_to_decibel,
)
from tfcoded.channels.channel import BitChannel, Channel
from tfcoded.channels.erasure import ErasureChannel
from tfcoded.channels.gaussian import GaussianChannel
from tfcoded.channels.prior import BinaryPrior, ErasedPrior, GaussianPrior, SymbolPrior, ZeroPrior
from tfcoded.channels.rates import (
    channel_distribution,
    encoder_distribution,
    received_distribution,
    sampled_rate,
    source_rate,
    transmission_rate,
)
from tfcoded.channels.real import RealChannel
from tfcoded.config.channels import BitChannelSettings, ChannelSettings, RealChannelSettings

__all__ = [
    "BandwidthLimitedChannel",
    "BinaryErasureChannel",
    "BinaryPrior",
    "BinarySymmetricChannel",
    "BitChannel",
    "BitChannelSettings",
    "Channel",
    "ChannelSettings",
    "ErasedPrior",
    "ErasureChannel",
    "GaussianChannel",
    "GaussianPrior",
    "RealChannel",
    "RealChannelSettings",
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
    "register",
    "sampled_rate",
    "snr_from_decibel",
    "snr_to_decibel",
    "source_rate",
    "transmission_rate",
]

register = ChannelSettings.register
