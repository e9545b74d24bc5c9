"""Neural networks: encoders, decoders, and the classifier behind the semantic accuracy."""

from tfcoded.networks.decoder import Decoder
from tfcoded.networks.encoder import Encoder

__all__ = ["Decoder", "Encoder"]
