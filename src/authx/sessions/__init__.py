"""What makes tokens and rows one thing: sessions that are refreshed, listed and ended."""
