"""Fashion-MNIST."""

from tfcoded.data.registry import register_prepared

register_prepared(
    "fashion_mnist",
    (28, 28, 1),
    licence=(
        "Fashion-MNIST (Zalando Research, <https://github.com/zalandoresearch/fashion-mnist>), under the MIT licence."
    ),
    labels="T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, boot",
    shift=0,  # clothes fill their images
    mirrored=True,  # a mirrored shoe is a shoe
)
