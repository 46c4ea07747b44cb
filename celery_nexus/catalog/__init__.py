"""What can be submitted, and submitting it."""
