"""Threads of the dashboard: for what takes long, and for what is read again and again."""
