"""Ownership of messages: leases, messages in flight, rescue of what dead workers held."""
