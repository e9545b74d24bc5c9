"""Names of the data sets and the shapes of their images, for what should not wait for TensorFlow."""

SHAPES = {
    "fashion_mnist": (28, 28, 1),
    "mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "tiny_imagenet": (64, 64, 3),
    "celeba": (32, 32, 3),
    "celeba140": (32, 32, 3),
    "celeba_nocrop": (32, 32, 3),
    "synthetic": (32, 32, 3),
}
NORMAL = "normal"  # no images: a model that draws what it sends is told how many draws make an epoch
NAMES = (*SHAPES, NORMAL)
DRAWN = ("synthetic", NORMAL)  # need neither files nor a network
