"""Measures authx against its peers and against the least work that could do the same job."""
