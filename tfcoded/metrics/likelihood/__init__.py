"""Log-likelihoods: by importance sampling and by enumeration of the words."""
