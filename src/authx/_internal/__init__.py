"""Paths that AuthX's guides import from; nothing is written here."""
