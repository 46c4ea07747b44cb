"""Undo of changes to messages."""
