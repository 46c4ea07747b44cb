"""The terminal: what is written to it, read from it, and copied by it."""
