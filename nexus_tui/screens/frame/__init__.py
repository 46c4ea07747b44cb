"""Frame of a screen: its host, the line of health, the keys that it offers."""
