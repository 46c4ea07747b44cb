"""Commands that read: what is there, what happened, what is wrong."""
