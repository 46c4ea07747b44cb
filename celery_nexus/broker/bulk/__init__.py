"""Changing many messages at once, in bounded steps beside consuming workers."""
