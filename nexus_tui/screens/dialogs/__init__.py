"""Dialogs: modal screens that ask or show one thing."""
