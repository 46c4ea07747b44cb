"""How messages reach workers, and what happens to those that can't run."""
