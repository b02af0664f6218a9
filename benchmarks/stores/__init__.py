"""What the session stores cost: one operation, a whole refresh, the revocation check, growth."""
