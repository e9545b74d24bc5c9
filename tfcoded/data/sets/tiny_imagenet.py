"""Tiny ImageNet, whose builder is `tfcoded.data.tiny_imagenet`."""

from tfcoded.data.registry import register_prepared


def _builder():
    from tfcoded.data.tiny_imagenet import TinyImagenet

    return TinyImagenet


register_prepared(
    "tiny_imagenet",
    (64, 64, 3),
    _builder,
    duration="a few minutes",
    licence=(
        "Tiny ImageNet (Stanford CS231n), a part of ImageNet. It has no licence of its own; ImageNet is offered for"
        " non-commercial research and education."
    ),
)
