"""Edits of single messages, and their record: trash, audit, announcements."""
