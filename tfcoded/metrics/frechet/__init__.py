"""Distances between sets of images: the FID, and the same between a classifier's logits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "distances": ["FEATURES", "IMAGES", "between", "distance", "generate", "inception_features", "measure"],
    },
)
