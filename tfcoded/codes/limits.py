"""Up to how many information bits what is done with all 2^M words."""

LISTED_BITS = 16  # words are listed: the codebook, the minimum distance
TABLED_BITS = 12  # beside a network there is a table of all words for every image: posteriors over words, random codes
DECODED_BITS = 10  # a network decodes every word: likelihoods
