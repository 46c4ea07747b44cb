"""Upgrade from earlier versions: their keys in Redis, taken over."""
