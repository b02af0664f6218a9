"""A small application to try things out: `python -m authx.demo`, or `scripts/demo` in a clone."""
