"""Privacy: private arguments, secrets and their masks."""
