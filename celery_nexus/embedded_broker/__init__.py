"""The embedded broker: a Valkey or Redis server of the application's own, on a unix socket with a password."""
