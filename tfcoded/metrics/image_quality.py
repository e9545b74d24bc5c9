"""Peak signal-to-noise ratio and structural similarity of images in [0, 1]."""

import tensorflow as tf

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5


def psnr(images, reconstructions):
    """Peak signal-to-noise ratio of one batch, `10 log10(1 / MSE)`, in decibels.

    The mean squared error is taken over the whole batch, not image by image: this is the convention of the
    published tables, which then average the ratio over test batches of 128 images. Images scaled to [-1, 1]
    with range 2 give the same number as their [0, 1] versions with range 1.

    Args:
      images: `[N, H, W, C]`, float32 in [0, 1].
      reconstructions: as `images`.

    Returns:
      Scalar tf.float32; `inf` if the batches are equal.

    Raises:
      ValueError: if the shapes differ.

    Example:

    ```python
    psnr(tf.zeros([2, 28, 28, 1]), tf.fill([2, 28, 28, 1], 0.1))  # 20.0
    ```
    """
    images, reconstructions = _pair(images, reconstructions)
    error = tf.reduce_mean(tf.math.squared_difference(images, reconstructions))
    return -10.0 / tf.math.log(10.0) * tf.math.log(error)


def ssim(images, reconstructions):
    """Structural similarity of each image, Gaussian window of 11 x 11 pixels with standard deviation 1.5.

    Args:
      images: `[N, H, W, C]`, float32 in [0, 1]; at least 11 pixels high and wide.
      reconstructions: as `images`.

    Returns:
      `[N]` tf.float32 in [-1, 1]; 1 for equal images.

    Raises:
      ValueError: if the shapes differ or the images are smaller than the window.

    Example:

    ```python
    x = tf.random.stateless_uniform([4, 28, 28, 1], seed=[0, 1])
    ssim(x, x)  # [1, 1, 1, 1]
    ```

    #### References
    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", 2004.
    """
    images, reconstructions = _pair(images, reconstructions)
    height, width = images.shape[1:3]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, got {height} x {width}")
    return tf.image.ssim(images, reconstructions, max_val=1.0, filter_size=SSIM_WINDOW, filter_sigma=SSIM_SIGMA)


def _pair(images, reconstructions):
    images = tf.convert_to_tensor(images, tf.float32)
    reconstructions = tf.convert_to_tensor(reconstructions, tf.float32)
    if images.shape.rank != 4 or not images.shape.is_compatible_with(reconstructions.shape):
        raise ValueError(
            "expected two batches of images of one shape [N, H, W, C], "
            f"got {tuple(images.shape)} and {tuple(reconstructions.shape)}"
        )
    return images, reconstructions
