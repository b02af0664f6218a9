"""The pure core: no waiting, no clock, no randomness, no input or output, no framework."""
