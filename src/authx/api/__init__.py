"""The public methods of `AuthX`, by topic."""
