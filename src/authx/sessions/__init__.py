"""Sessions on a store: they are begun, refreshed, checked, listed and ended."""
