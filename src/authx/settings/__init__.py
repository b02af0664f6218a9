"""The settings, one feature a file."""
