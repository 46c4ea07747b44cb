"""Bulk edits: changes of many messages in bounded steps, while workers go on consuming."""
