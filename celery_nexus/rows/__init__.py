"""Frozen rows of what is seen. No I/O here: sources make them, actions and screens read them.

None means unknown, and is drawn as ``?``; it never stands for zero.
"""
