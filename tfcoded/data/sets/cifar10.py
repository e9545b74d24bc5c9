"""CIFAR-10."""

from tfcoded.data.registry import register_prepared

register_prepared(
    "cifar10",
    (32, 32, 3),
    licence=(
        "CIFAR-10 (Krizhevsky, Nair and Hinton, <https://www.cs.toronto.edu/~kriz/cifar.html>). It has no formal"
        " licence; its page asks those who use it to cite Krizhevsky's report of 2009."
    ),
    labels="airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck",
    shift=2,
    mirrored=True,
)
