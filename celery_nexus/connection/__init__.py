"""Connections to Redis and Valkey: addresses, Sentinel, TLS, silence, names of keys."""
