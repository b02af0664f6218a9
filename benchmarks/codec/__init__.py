"""Token codecs to measure, one module for each implementation."""
