"""Rows of what is wrong, how that is known, and what a database and its connections look like."""
