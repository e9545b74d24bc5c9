"""Training: the loop, its callbacks and the hardware."""
