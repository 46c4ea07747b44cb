"""Commands that look: what there is, what was, and what is wrong."""
