"""The most probable words of independent bits, exactly and without enumerating all of them."""

import heapq

import numpy as np


def most_probable_words(probabilities, k):
    """The `k` most probable words of independent bits, most probable first.

    The most probable word takes the likelier value of every bit. Every other word flips some set of bits, and
    each flip divides the probability by the odds of that bit. With the log odds sorted, sets of flips are
    visited in order of their total by a heap: from a set whose largest index is `j` one either adds `j + 1`
    or exchanges `j` for `j + 1`. Each set is reached exactly once and never before a cheaper one, so the
    answer is exact after `k` steps.

    Args:
      probabilities: `[M]`, float in [0, 1]: the probability that each bit is 1.
      k: `int`, from 1 to `2^M`.

    Returns:
      `(words, probabilities)`: int32 `[k, M]` and float64 `[k]`, not increasing.

    Raises:
      ValueError: if `probabilities` is not a vector of probabilities or `k` is out of range.

    Example:

    ```python
    most_probable_words([0.9, 0.4], k=2)  # [[1, 0], [1, 1]], [0.54, 0.36]
    ```

    #### References
    Lawler, "A procedure for computing the k best solutions to discrete optimization problems", 1972.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 1 or p.size == 0 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"expected a non-empty vector of probabilities in [0, 1], got shape {p.shape}")
    if k < 1 or (p.size < 63 and k > 2**p.size):
        raise ValueError(f"k must be between 1 and 2^{p.size}, the number of words; got {k}")

    likelier = p > 0.5
    with np.errstate(divide="ignore"):  # a certain bit has infinite log odds; flipping it: probability 0
        log_stay = np.log(np.where(likelier, p, 1.0 - p))
        log_flip = np.log(np.where(likelier, 1.0 - p, p))
    order = np.argsort(log_stay - log_flip, kind="stable")
    costs = (log_stay - log_flip)[order]

    def entry(flips):
        # Summed afresh: costs may be infinite, and inf - inf would spoil a running total.
        return (float(sum(costs[i] for i in flips)), flips)

    chosen = [()]
    heap = [entry((0,))]
    while len(chosen) < k:
        _, flips = heapq.heappop(heap)
        chosen.append(flips)
        following = flips[-1] + 1
        if following < p.size:
            heapq.heappush(heap, entry((*flips, following)))
            heapq.heappush(heap, entry((*flips[:-1], following)))

    words = np.tile(likelier.astype(np.int32), (k, 1))
    for word, flips in zip(words, chosen):
        word[order[list(flips)]] ^= 1
    return words, np.prod(np.where(words == 1, p, 1.0 - p), axis=1)
