"""What may be shown: private arguments, secrets and their masks."""
