"""The exclusive or of independent bits, in logits."""

from tfcoded.utils.lazy import LazyModule

tf = LazyModule("tensorflow")


def box_plus(a, b):
    """Log-odds that two independent bits with logits `a` and `b` are equal.

    ```none
    a [+] b = 2 atanh(tanh(a/2) tanh(b/2))
            = sign(a) sign(b) min(|a|, |b|) + log1p(exp(-|a + b|)) - log1p(exp(-|a - b|))
    d/da    = sigmoid(a + b) - sigmoid(a - b)
    ```

    The first form is accurate when one of the logits is small, the second when both are large (there `tanh`
    is 1 in float32 and the first is infinite); each is used where it is good, so that the result has a small
    relative error everywhere. The derivative is the closed form, not that of `min` and `abs`, which is wrong
    at `a = b`, `a = -b` and 0.

    Logits may be infinite. `inf [+] b = b`, and of two infinite ones the derivative is that at `|a| = |b|`, a half.

    ```python
    box_plus(200.0, -3.0)   # -3.0: the bits differ, as surely as the less certain of the two
    ```

    Args:
      a: floating-point tensor, logits of the first bit.
      b: tensor of the same dtype, broadcast against `a`.

    Returns:
      Logits of the broadcast shape, same dtype.

    Raises:
      ValueError: if the arguments are not floating point, or their dtypes differ.

    #### References

    [1] Hagenauer, Offer, Papke, Iterative Decoding of Binary Block and Convolutional Codes, IEEE Transactions
        on Information Theory 42(2), 1996, section II.
    """
    a = tf.convert_to_tensor(a)
    b = tf.convert_to_tensor(b)
    if not a.dtype.is_floating or a.dtype != b.dtype:
        raise ValueError(
            f"box_plus takes two tensors of logits of one floating-point type, got {a.dtype.name} and {b.dtype.name}"
        )
    if not (a.shape.is_fully_defined() and a.shape == b.shape):
        # Outside of the custom gradient, so that autodiff sums over what was broadcast.
        shape = tf.broadcast_dynamic_shape(tf.shape(a), tf.shape(b))
        static_shape = tf.broadcast_static_shape(a.shape, b.shape)
        a = tf.ensure_shape(tf.broadcast_to(a, shape), static_shape)
        b = tf.ensure_shape(tf.broadcast_to(b, shape), static_shape)
    return tf.custom_gradient(_box_plus)(a, b)


def soft_xor(a, b):
    """Logits of the exclusive or of two independent bits: `-box_plus(a, b)`.

    In probabilities, `p = p_a (1 - p_b) + (1 - p_a) p_b` (equations 15 and 17 of the Coded-DVAE paper).

    ```python
    soft_xor(200.0, -200.0)   # 200: 1 xor 0 is 1
    ```

    Args:
      a: floating-point tensor, logits of the first bit.
      b: tensor of the same dtype, broadcast against `a`.

    Returns:
      Logits of the broadcast shape, same dtype.

    Raises:
      ValueError: if the arguments are not floating point, or their dtypes differ.
    """
    return -box_plus(a, b)


def _box_plus(a, b):
    # Infinities have no difference; the largest numbers do.
    total = _finite(a) + _finite(b)
    difference = _finite(a) - _finite(b)

    def gradient(upstream):
        agree = tf.sigmoid(total)
        return upstream * (agree - tf.sigmoid(difference)), upstream * (agree - tf.sigmoid(-difference))

    smaller = tf.minimum(tf.abs(a), tf.abs(b))
    weak = 2 * tf.atanh(tf.tanh(a / 2) * tf.tanh(b / 2))
    correction = tf.math.log1p(tf.exp(-tf.abs(total))) - tf.math.log1p(tf.exp(-tf.abs(difference)))
    strong = tf.sign(a) * tf.sign(b) * smaller + correction
    return tf.where(smaller < 1, weak, strong), gradient


def _finite(logits):
    return tf.clip_by_value(logits, logits.dtype.min, logits.dtype.max)
