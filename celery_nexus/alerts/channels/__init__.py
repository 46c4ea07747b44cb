"""Channels: who is told of alerts, and how."""
