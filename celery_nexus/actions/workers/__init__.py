"""Actions on workers and their programs."""
