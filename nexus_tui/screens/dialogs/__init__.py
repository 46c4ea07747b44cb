"""Dialogs: what opens over a view, asks or shows one thing, and closes."""
