"""Bases of screens: frame, keys, lists with panes, filters, readings of their own."""
