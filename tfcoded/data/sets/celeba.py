"""CelebA's faces as 32x32 images: which part of the aligned images is kept, and how it is resized."""

import functools

from tfcoded.data.registry import register_prepared

BUILDER = "celeb_a"  # its name in tensorflow-datasets
SHAPE = (32, 32, 3)

# Data set -> side of the centred square that is kept of 218x178 pixels; `None`: everything, squeezed into a square.
# The two sides are those in use: 148 cuts at the chin, 140 tighter.
CROPS = {"celeba": 148, "celeba140": 140, "celeba_nocrop": None}


def small(image, side):
    """Crops an image to the square in its centre and resizes that to 32x32, averaging over what a pixel covers.

    Args:
      image: `[height, width, 3]`, `tf.uint8`.
      side: `int`, of the square, at most the image's sides; or `None` for no cropping.

    Returns:
      `[32, 32, 3]`, `tf.uint8`.

    Example:

    ```python
    small(tf.io.decode_jpeg(tf.io.read_file("000001.jpg")), CROPS["celeba"])
    ```
    """
    import tensorflow as tf

    if side is not None:
        image = tf.image.crop_to_bounding_box(
            image, (image.shape[0] - side) // 2, (image.shape[1] - side) // 2, side, side
        )
    resized = tf.image.resize(image, SHAPE[:2], method="bilinear", antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


for _name, _side in CROPS.items():
    register_prepared(
        _name,
        SHAPE,
        BUILDER,
        functools.partial(small, side=_side),
        duration="several minutes",
        # Its place on the web often refuses downloads, and there is no other that may be named.
        advice="Or use other images of 32x32x3 in its place: --override dataset=cifar10, or dataset=synthetic",
        licence=(
            "CelebA (Liu, Luo, Wang and Tang, <https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html>), offered for"
            " non-commercial research only."
        ),
    )
