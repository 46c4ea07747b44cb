"""Frozen rows of everything that is shown. No I/O: sources make them, actions and screens read them.

None means unknown, and is drawn as ``?``; it never stands for zero.
"""
