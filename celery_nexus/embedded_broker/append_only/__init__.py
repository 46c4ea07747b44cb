"""The embedded broker's append-only files: what they hold, and their repair after a power cut."""
