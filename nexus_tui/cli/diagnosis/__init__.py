"""Commands that say what is wrong, and what can be set aside, cleaned up or sent on."""
