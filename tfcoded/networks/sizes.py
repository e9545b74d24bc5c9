"""Sizes of the networks around a channel: for results, for results without an accelerator, to try that all runs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the networks around a channel are.

    ```python
    size = SIZES["smoke"]
    ResNetEncoder(symbols=100, width=size.width)
    ```

    Attributes:
      width: `int`, of `ResNetEncoder` and `ResNetDecoder`.
      steps: `int`, of the draw decoders.
      hidden: `int`, channels of the draw decoders' state.
      condition: `int`, channels of the draw decoders' conditioning map.
      latents: `int`, channels of the auxiliary latent variables of a step.
      prior_units: `int`, of `BandDrawPrior`.
    """

    width: int
    steps: int
    hidden: int
    condition: int
    latents: int
    prior_units: int


SIZES = {
    "base": Size(width=64, steps=8, hidden=64, condition=32, latents=4, prior_units=128),
    "small": Size(width=16, steps=4, hidden=16, condition=16, latents=2, prior_units=32),
    "smoke": Size(width=8, steps=2, hidden=8, condition=8, latents=2, prior_units=16),
}
