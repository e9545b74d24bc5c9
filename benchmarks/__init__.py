"""Measurements of speed, each command printing ratios measured in one run, and of the noise of gradients."""
