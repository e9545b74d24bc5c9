"""Measurements of speed; each command prints ratios measured in one run."""
