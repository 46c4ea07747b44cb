"""Recordings of what the views show, and their replay."""
