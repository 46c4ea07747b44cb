"""Readers of the history: pages of runs, figures, changes, checks."""
