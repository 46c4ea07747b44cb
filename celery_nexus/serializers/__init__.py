"""How messages are written: JSON, MessagePack, YAML and pickle, read without running anything."""
