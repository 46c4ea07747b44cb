"""Front door: what is opened, by name, address or application, and what a context forbids there."""
