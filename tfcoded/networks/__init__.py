"""Neural networks: encoders, decoders, learned priors, and the classifier behind the semantic accuracy."""

from tfcoded.utils import keras_settings

keras_settings.require()  # one line, not an error from the depths of Keras

from tfcoded.networks.alv_decoder import ALVDecoder
from tfcoded.networks.band_draw_prior import BandDrawPrior
from tfcoded.networks.decoder import Decoder
from tfcoded.networks.draw_decoder import ConvLSTMCell, PlainDrawDecoder
from tfcoded.networks.encoder import Encoder
from tfcoded.networks.resnet import ResNetDecoder, ResNetEncoder
from tfcoded.networks.sizes import SIZES, Size
from tfcoded.networks.skip_mlp import SkipMLP

__all__ = [
    "SIZES",
    "ALVDecoder",
    "BandDrawPrior",
    "ConvLSTMCell",
    "Decoder",
    "Encoder",
    "PlainDrawDecoder",
    "ResNetDecoder",
    "ResNetEncoder",
    "Size",
    "SkipMLP",
]
