"""Who holds which message: leases, messages in flight, rescue of what the dead held."""
