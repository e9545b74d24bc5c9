"""MNIST."""

from tfcoded.data.registry import register_prepared

register_prepared(
    "mnist",
    (28, 28, 1),
    licence="MNIST (LeCun, Cortes and Burges), usually stated to be under Creative Commons Attribution-ShareAlike 3.0.",
    labels="digits 0 to 9",
    shift=1,  # digits lie about
)
