"""Image shapes that can be halved and doubled."""


def checked(image_shape, factor):
    """`image_shape` as a tuple.

    ```python
    checked([32, 32, 3], factor=8)   # (32, 32, 3)
    ```

    Args:
      image_shape: `(height, width, channels)`.
      factor: `int`, what divides height and width.

    Raises:
      ValueError: if it does not.
    """
    image_shape = tuple(int(size) for size in image_shape)
    if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[0] % factor or image_shape[1] % factor:
        raise ValueError(
            f"image_shape must be (height, width, channels) with multiples of {factor} as height and width,"
            f" got {image_shape}"
        )
    return image_shape
