"""TensorFlow's stateless random numbers in NumPy, bit for bit: the order of an epoch and the initial weights.

Only what a training program needs from outside: all other random numbers are drawn inside it.

#### References

[1]: Salmon, Moraes, Dror, Shaw. Parallel random numbers: as easy as 1, 2, 3. SC 2011. Philox 4x32 with 10 rounds.
"""

import numpy as np

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_SCRAMBLE = 0x3EC8F720, 0x02461E29  # the key with which TensorFlow turns a seed into key and counter
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_PART = 1 << 18  # blocks at a time, so that they stay in the cache


def order(count, seed, epoch):
    """The order of the images in an epoch, that of `tfcoded.data.training_pipeline`.

    Args:
      count: `int`, number of images.
      seed: two `int`s within 64 bits, of the whole training.
      epoch: `int`, counted from 0.

    Returns:
      `np.int32 [count]`, a permutation of 0 to count - 1.
    """
    low, high = (int(word) for word in bits(2, seed))
    folded = _signed(high << 32 | low), epoch
    shuffled = list(range(count))
    numbers = bits(max(count - 1, 0), folded)
    # Fisher and Yates' shuffle, each step with the remainder of one number.
    steps = numbers % np.arange(count, 1, -1, dtype=np.uint32)
    for place, step in enumerate(steps.tolist()):
        other = place + step
        shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
    return np.array(shuffled, np.int32)


def uniform(shape, seed, low, high):
    """`tf.random.stateless_uniform(shape, seed, low, high)` as a CPU or GPU computes it without XLA.

    Args:
      shape: sequence of `int`.
      seed: two `int`s.
      low: `float`.
      high: `float`.

    Returns:
      `np.float32` array of `shape`, in [low, high).
    """
    mantissa = bits(int(np.prod(shape)), seed) & np.uint32(0x7FFFFF)
    numbers = (mantissa | np.uint32(0x3F800000)).view(np.float32)
    numbers -= np.float32(1)
    numbers *= np.float32(high) - np.float32(low)
    numbers += np.float32(low)
    return numbers.reshape(shape)


def bits(count, seed):
    """`count` random words, `np.uint32 [count]`, of the seed, two `int`s within 64 bits."""
    words = [number >> shift & 0xFFFFFFFF for number in seed for shift in (0, 32)]
    mix = _philox([np.array([word], np.uint64) for word in words], _SCRAMBLE)
    key = tuple(int(word[0]) for word in mix[:2])
    result = np.empty([-(-count // 4), 4], np.uint32)
    for start in range(0, len(result), _PART):
        part = result[start : start + _PART]
        low = np.arange(start, start + len(part), dtype=np.uint64)  # fewer than 2^32 blocks: no carry
        counter = [low, np.zeros_like(low), np.full_like(low, mix[2][0]), np.full_like(low, mix[3][0])]
        for column, word in enumerate(_philox(counter, key)):
            part[:, column] = word
    return result.reshape(-1)[:count]


def _philox(counter, key):
    """Ten rounds over four arrays `np.uint64` of 32-bit words; the result is of the same kind."""
    a, b, c, d = counter
    first, second = key
    for _ in range(10):
        product_a, product_c = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (product_c >> _WORD) ^ b ^ np.uint64(first),
            product_c & _LOW,
            (product_a >> _WORD) ^ d ^ np.uint64(second),
            product_a & _LOW,
        )
        first, second = (first + _KEY_STEPS[0]) & 0xFFFFFFFF, (second + _KEY_STEPS[1]) & 0xFFFFFFFF
    return a, b, c, d


def _signed(number):
    """A word of 64 bits as a signed `int`, for which `>>` repeats the sign as TensorFlow's seeds do."""
    return number - (1 << 64) if number >> 63 else number
