"""What is a bit and what is not."""

from tfcoded.utils.lazy import LazyModule

np = LazyModule("numpy")
tf = LazyModule("tensorflow")


def check_bits(bits, what, relaxed=False):
    """Refuses what is no bit, where the values are known: in eager mode, and constants of a graph.

    Args:
      bits: tensor of any type.
      what: `str`, what takes them, for the message.
      relaxed: `bool`, whether numbers between 0 and 1 are bits too.

    Raises:
      ValueError: if one of them is none.
    """
    known = tf.get_static_value(bits)
    if known is None or known.dtype == bool:
        return
    good = (known >= 0) & (known <= 1) if relaxed else (known == 0) | (known == 1)
    if not np.all(good):
        kinds = "numbers from 0 to 1" if relaxed else "zeros and ones"
        raise ValueError(f"{what} takes bits, {kinds}; got {known[~good].ravel()[0]}")
