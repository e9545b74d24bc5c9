"""The ablations of beta (appendix K): what their configurations change reaches the model."""

import math

import numpy as np
import pytest

from tfcoded import zoo
from tfcoded.models import CodedDVAE


@pytest.mark.parametrize("beta", [5, 10, 20])
@pytest.mark.parametrize("base", ["uncoded_8", "coded_8_240"])
def test_beta_reaches_the_posterior_and_the_codewords(base, beta):
    config = zoo.config(f"{base}_beta_{beta}")
    reference = zoo.config(base)
    assert (config.code, config.network, config.training) == (
        reference.code,
        reference.network,
        reference.training,
    )
    small = config.network.replace(encoder_width=16, decoder_width=16)
    model = CodedDVAE.from_configuration(config.replace(network=small))
    model.encoder.head.kernel.assign(0.0 * model.encoder.head.kernel)
    model.encoder.head.bias.assign(-99.0 + 0.0 * model.encoder.head.bias)  # every bit is 0, q = 0.001 at the most
    images = np.zeros([128, 28, 28, 1], np.uint8)
    expected = 1 / beta - 1 / math.expm1(beta)  # mean of exp(-beta z) on [0, 1]; its deviation is below 1 / beta
    for z in (model.sample(images, [1, 2]), model.modulate(np.zeros([128, 8], np.int32), [1, 2])):
        # Five standard deviations on both sides, false failure below one seed in a million; 0.001 is the clip
        # of q. The default, 15, would be off by a third of 1 / beta, ten of them.
        assert z.shape == (128, config.code_bits)
        assert abs(np.mean(z) - expected) < 5 / beta / math.sqrt(z.numpy().size) + 0.001
