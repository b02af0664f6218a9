"""Tokens as a configuration makes, verifies and presents them."""
