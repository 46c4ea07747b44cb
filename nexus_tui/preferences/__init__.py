"""Choices of the user, in files of her own: keys and saved filters."""
