"""Recorders: programs that write events into the history."""
