"""What a configuration says of a channel without TensorFlow is what its layer says."""

import pytest
import tensorflow as tf

from tfcoded.channels import BitChannel, RealChannel
from tfcoded.config.channels import BinaryErasureSettings, BinarySymmetricSettings, ChannelSettings, GaussianSettings

CASES = [
    *(
        GaussianSettings(symbols=8, bands=2, snr=snr, power=power)
        for power in GaussianSettings.powers
        for snr in (0.1, 10.0)
    ),
    *(BinarySymmetricSettings(p_keep=p_keep) for p_keep in (0.0, 0.3, 0.9, 1.0)),
    *(BinarySymmetricSettings(mode=mode) for mode in ("relaxed", "mixture")),
    *(BinaryErasureSettings(erase_probability=p) for p in (0.0, 0.25, 1.0)),
]


@pytest.mark.parametrize("settings", CASES, ids=lambda settings: settings.label)
def test_sections_agree_with_layers(settings):
    layer = settings.build("channel")
    assert layer.name == "channel"
    assert settings.capacity_bits == pytest.approx(layer.capacity_bits, rel=1e-12, abs=1e-15)
    assert isinstance(layer, BitChannel if settings.bits else RealChannel)
    if settings.bits:
        assert settings.scored == (not layer.relaxed) and settings.bands == 1
        bits = tf.constant([[0.0, 1.0] * 200])
        channel = layer.hardened()
        arrived = channel.values(channel.corrupt(bits, seed=tf.constant([1, 2])))
        assert set(arrived.numpy().ravel()) <= set(settings.alphabet)
    else:
        sent = layer(tf.ones([2, 8]), tf.zeros([2, 8]), seed=tf.constant([1, 2]))
        assert tuple(layer.rates(sent)) == settings.bounds and layer.powers == settings.powers


def test_every_kind_is_covered():
    own = {name for name, kind in ChannelSettings.kinds.items() if kind.__module__ == "tfcoded.config.channels"}
    assert own == {settings.kind for settings in CASES}


@pytest.mark.parametrize("kind", [BinarySymmetricSettings, BinaryErasureSettings])
def test_the_noise_at_a_rate(kind):
    for rate in (1e-3, 0.5, 0.999):
        level = kind.limit(rate)
        assert 0 <= level <= kind.noisiest
        assert kind.at(level).capacity_bits == pytest.approx(rate, abs=1e-9)
