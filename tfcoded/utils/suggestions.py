"""What was probably meant by a mistyped word."""

import difflib


def nearest(word, words, cutoff=0.6):
    """The one of `words` that `word` was probably meant to be.

    Args:
      word: `str`.
      words: iterable of `str`.
      cutoff: `float`, how alike they must be, see `difflib.get_close_matches`; the case of letters does not count.

    Returns:
      `str`, or `None` if none is near.
    """
    folded = {}
    for known in words:
        folded.setdefault(known.casefold(), known)
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None
