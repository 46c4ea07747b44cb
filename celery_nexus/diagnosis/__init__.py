"""Why a run waits, and what is wrong with a stack."""
