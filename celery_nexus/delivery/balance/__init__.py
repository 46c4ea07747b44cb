"""The ledger of what was submitted, and its recount."""
