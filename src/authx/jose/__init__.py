"""Keys, signatures and JSON as the JOSE standards have them (RFC 7515 to 7519, 7638, 8037)."""
