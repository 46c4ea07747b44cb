"""Columns of arguments: their values in a segment, and the smallest and largest of them."""
