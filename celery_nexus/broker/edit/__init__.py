"""Changing one message, and what tells of it: trash, audit, announcements."""
